"""Components of real spherical harmonics of one or several degrees, pseudotensors too."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.data.spherical.degrees import Basis, as_options, read_bases
from mtt.data.spherical.exchange import exchanged_places
from mtt.data.spherical.parts import PRODUCTS, Part, parts_of
from mtt.data.target_kind import Block, Irrep, TargetKind


@dataclass(frozen=True)
class Spherical(TargetKind):
    """One after the other, the components m = -l … l of every (l, σ); of l = 1 they are y, z, x.

    Harmonics are real, without Condon-Shortley phase. σ = 1 turns as harmonics do, with the sign
    (-1)^l under inversion; σ = -1, a pseudotensor, has the other sign.

    :param irreps: every (l, σ) as ``{"o3_lambda": l, "o3_sigma": σ}``, each once, with ``"num"``
        radial channels, the last index; or such a list for each element, by its atomic number.
    :param product: ``"cartesian"``: of each two of ``irreps`` there are all products of their
        components; ``"coupled"``: the same as tensors of one degree, σ = 1 alone.
    :param of_pairs: the two indices of a product are of two atoms, and elements, which may differ.
        It follows from the target's ``sample_kind``: see :meth:`for_pairs`.
    :raises ValueError: something else.
    """

    name: ClassVar[str] = "spherical"
    extensive: ClassVar[bool] = True

    irreps: tuple[Basis, ...]
    product: str | None = None
    of_pairs: bool = field(default=False, metadata={"derived": True})

    def __post_init__(self) -> None:
        if self.product is not None and self.product not in PRODUCTS:
            one_of = " or ".join(PRODUCTS)
            raise ValueError(f"product must be {one_of}, or left out, got {self.product!r}")
        object.__setattr__(self, "irreps", read_bases(self.irreps))
        pair = self.product == "cartesian"
        names = [f"{name}_{i}" for name in ("o3_lambda", "o3_sigma") for i in (1, 2)]
        names = names if pair else ["o3_lambda", "o3_sigma"]
        if self.elements:
            names += ["first_atom_type", "second_atom_type"] if self.of_pairs else ["atom_type"]
        object.__setattr__(self, "key_names", tuple(names))

    @classmethod
    def examples(cls) -> tuple[Spherical, ...]:
        several: Any = tuple(Irrep(l, 1) for l in range(3))
        channels: Any = ({"o3_lambda": 0, "num": 2}, {"o3_lambda": 1, "num": 3})
        single: tuple[Any, ...] = tuple(
            (Irrep(l, s),) for l, s in ((0, -1), (1, -1), (2, -1), (3, 1))
        )
        products = (cls(channels[1:], "cartesian"), cls(channels, "coupled"))
        return (cls(several), *map(cls, single), *products)

    def for_pairs(self) -> Spherical:
        if self.product is None and self.elements:
            raise ValueError("for pairs, irreps of each element need a product")
        return self if self.product is None else replace(self, of_pairs=True)

    @property
    def exchange(self) -> tuple[tuple[int, int], ...]:
        return exchanged_places(self._parts) if self.of_pairs else super().exchange

    @property
    def _parts(self) -> tuple[Part, ...]:
        return parts_of(self.irreps, self.product, self.of_pairs)

    @property
    def _placed(self) -> list[tuple[int, Part]]:
        """Each part, and where its components begin among the flattened ones."""
        placed, start = [], 0
        for part in self._parts:
            placed.append((start, part))
            start += part.n_components * part.n_channels
        return placed

    @property
    def blocks(self) -> tuple[Block, ...]:
        with_element = bool(self.irreps[0].element)
        return tuple(part.block(with_element) for part in self._parts)

    @property
    def elements(self) -> tuple[int, ...]:
        return tuple(one.element for one in self.irreps if one.element)

    @property
    def text(self) -> str:
        product = {} if self.product is None else {"product": self.product}
        of_pairs = {"of_pairs": True} if self.of_pairs else {}
        options = {"irreps": as_options(self.irreps), **product, **of_pairs}
        return f"{self.name} {json.dumps(options, sort_keys=True)}"

    @property
    def invariant_groups(self) -> tuple[tuple[int, ...], ...]:
        return tuple(
            tuple(start + place * part.n_channels + channel for place in part.invariants())
            for start, part in self._placed
            for channel in range(part.n_channels)
            if part.invariants()
        )

    @property
    def invariants(self) -> tuple[int, ...]:
        return tuple(group[0] for group in self.invariant_groups if len(group) == 1)

    @property
    def parts(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        found: dict[str, list[int]] = {}
        for start, part in self._placed:
            places = range(start, start + part.n_components * part.n_channels)
            found.setdefault(part.name, []).extend(places)
        return tuple((name, tuple(places)) for name, places in found.items())

    @property
    def irreducible(self) -> tuple[Irrep, ...]:
        return tuple(irrep for irrep, columns in self._columns().items() for _ in columns)

    def from_irreducible(self) -> Tensor:
        columns = [one for columns in self._columns().values() for one in columns]
        matrix = torch.zeros(self.size, sum(one.shape[1] for _, one in columns)).double()
        start = 0
        for places, one in columns:
            matrix[places, start : start + one.shape[1]] = one
            start += one.shape[1]
        return matrix

    def _columns(self) -> dict[Irrep, list[tuple[list[int], Tensor]]]:
        """(l, σ) to the places and columns of each tensor of it; equal (l, σ) are together."""
        found: dict[Irrep, list[tuple[list[int], Tensor]]] = {}
        for start, part in self._placed:
            n = part.n_channels
            for irrep, matrix in part.irreducible().items():
                for channel in range(n):
                    places = [start + i * n + channel for i in range(part.n_components)]
                    found.setdefault(irrep, []).append((places, matrix))
        return found

    def rotated(self, values: Tensor, matrices: Tensor) -> Tensor:
        parts = self._parts
        split = torch.split(values, [part.n_components * part.n_channels for part in parts], dim=1)
        turned = [part.rotated(one, matrices) for part, one in zip(parts, split, strict=True)]
        return torch.cat(turned, dim=1)

    def read(
        self, array: NDArray[np.float64], n_samples: int, properties: int
    ) -> NDArray[np.float64]:
        """As of every kind.

        :raises ValueError: another number of values, or channels before the components.
        """
        only = self._parts[0]
        found = [only.n_components, only.n_channels]
        if len(self._parts) == 1 and only.n_channels > 1 and array.ndim > 1:
            shape = list(array.shape[-2:])
            if shape == found[::-1] and shape != found:
                raise ValueError(
                    f"shape {shape} where {found} is expected: m first, radial channels last; "
                    "transpose it"
                )
        return super().read(array, n_samples, properties)

    def read_atoms(
        self, array: NDArray[np.float64], numbers: NDArray[np.int64], properties: int
    ) -> NDArray[np.float64]:
        """A row for each atom; with irreps of each element its own numbers, then NaN.

        :raises ValueError: another number of values, or a number where an atom has none.
        """
        if not self.elements:
            return self.read(array, len(numbers), properties)
        own = self.own(numbers)
        counts = own.sum(axis=1) * properties
        widest = max(int(self.own(np.array([z])).sum()) for z in self.elements) * properties
        rows = array.reshape(len(numbers), -1) if array.size else array
        if rows.shape != (len(numbers), widest):
            raise ValueError(
                f"shape {list(array.shape)} where [{len(numbers)}, {widest}] is expected: a row "
                f"of {widest} numbers for each atom, {self._counts(properties)}, then nan"
            )
        there = np.arange(widest) < counts[:, None]
        more = ~there & ~np.isnan(rows)
        if more.any():
            atom = int(np.argmax(more.any(axis=1)))
            what = f"{int((~np.isnan(rows[atom])).sum())} numbers of atom {atom}"
            raise ValueError(f"{what} where {counts[atom]} are expected: write nan after them")
        rows = np.where((np.isnan(rows) & there).any(axis=1, keepdims=True), np.nan, rows)
        values = np.full((len(numbers), self.size, properties), np.nan)
        values[own] = rows[there].reshape(-1, properties)
        return values

    def written_atoms(
        self, values: NDArray[np.float64], numbers: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        if not self.elements:
            return self.written(values)
        own, properties = self.own(numbers), values.shape[-1]
        counts = own.sum(axis=1) * properties
        widest = max(int(self.own(np.array([z])).sum()) for z in self.elements) * properties
        rows = np.full((len(numbers), widest), np.nan)
        rows[np.arange(widest) < counts[:, None]] = values[own].reshape(-1)
        return rows

    def _counts(self, properties: int) -> str:
        """How many numbers atoms of each element have, in words."""
        sizes = {z: int(self.own(np.array([z])).sum()) * properties for z in self.elements}
        return ", ".join(f"{n} of element {z}" for z, n in sizes.items())


KIND = Spherical

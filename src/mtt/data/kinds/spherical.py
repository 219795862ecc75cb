"""Components of real spherical harmonics of one or several degrees, pseudotensors too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from mtt.data.target_kind import Axis, Block, Irrep, TargetKind
from mtt.harmonics import turning

_LARGEST = 12
_FORM = "{o3_lambda: 1, o3_sigma: 1}"


@dataclass(frozen=True)
class Spherical(TargetKind):
    """One after the other, the components m = -l … l of every (l, σ); of l = 1 they are y, z, x.

    Harmonics are real, without Condon-Shortley phase. σ = 1 turns as harmonics do, with the sign
    (-1)^l under inversion; σ = -1, a pseudotensor, has the other sign.

    :param irreps: every (l, σ) as ``{"o3_lambda": l, "o3_sigma": σ}``, each once: several
        radial channels are several properties.
    :param product: None; other values of metatrain's option are refused.
    :raises ValueError: something else.
    """

    name: ClassVar[str] = "spherical"
    key_names: ClassVar[tuple[str, ...]] = ("o3_lambda", "o3_sigma")
    extensive: ClassVar[bool] = True

    irreps: tuple[Irrep, ...]
    product: None = None

    def __post_init__(self) -> None:
        if self.product is not None:
            raise ValueError(f"product: {self.product} is not available yet")
        if isinstance(self.irreps, Mapping):
            raise ValueError("irreps of each element (an atomic basis) are not available yet")
        if not isinstance(self.irreps, tuple):
            raise ValueError(f"irreps must be a list of {_FORM}, got {self.irreps!r}")
        if not self.irreps:
            raise ValueError(f"irreps is empty: write a list of {_FORM}")
        irreps = tuple(_irrep(one) for one in self.irreps)
        for one in irreps:
            if irreps.count(one) > 1:
                what = f"o3_lambda {one.l} with o3_sigma {one.sigma} is given twice"
                raise ValueError(f"{what}: give it once, with num_subtargets: 2")
        object.__setattr__(self, "irreps", irreps)

    @classmethod
    def examples(cls) -> tuple[Spherical, ...]:
        several = tuple(Irrep(l, 1) for l in range(3))
        return cls(several), *(cls((Irrep(l, sigma),)) for l, sigma in ((1, -1), (2, -1), (3, 1)))

    @property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(
            Block((one.l, one.sigma), (Axis("o3_mu", tuple(range(-one.l, one.l + 1))),))
            for one in self.irreps
        )

    @property
    def text(self) -> str:
        irreps = [{"o3_lambda": one.l, "o3_sigma": one.sigma} for one in self.irreps]
        return f"{self.name} {json.dumps({'irreps': irreps}, sort_keys=True)}"

    @property
    def invariants(self) -> tuple[int, ...]:
        places = zip(self._places, self.irreps, strict=True)
        return tuple(place[0] for place, one in places if one == Irrep(0, 1))

    @property
    def parts(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        names = [f"l={one.l}" + ",sigma=-1" * (one.sigma == -1) for one in self.irreps]
        return tuple(zip(names, self._places, strict=True))

    @property
    def irreducible(self) -> tuple[Irrep, ...]:
        return self.irreps

    def from_irreducible(self) -> Tensor:
        return torch.eye(self.size, dtype=torch.float64)

    def rotated(self, values: Tensor, matrices: Tensor) -> Tensor:
        parts = torch.split(values, [one.size for one in self.irreps], dim=1)
        turned = [
            torch.einsum("mab,mbp->map", turning(one.l, one.sigma, matrices).to(part), part)
            for one, part in zip(self.irreps, parts, strict=True)
        ]
        return torch.cat(turned, dim=1)

    @property
    def _places(self) -> tuple[tuple[int, ...], ...]:
        """Of each (l, σ), in the flattened components."""
        places, start = [], 0
        for one in self.irreps:
            places.append(tuple(range(start, start + one.size)))
            start += one.size
        return tuple(places)


def _irrep(value: Any) -> Irrep:
    """Of options or of a stored text."""
    if isinstance(value, Irrep):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"each of irreps must be {_FORM}, got {value!r}")
    unknown = [key for key in value if key not in ("o3_lambda", "o3_sigma", "num")]
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r} in irreps, which are {_FORM}")
    if value.get("num", 1) != 1:
        raise ValueError("num of irreps is not available yet: write num_subtargets, one for all")
    l, sigma = value.get("o3_lambda"), value.get("o3_sigma", 1)
    if type(l) is not int or not 0 <= l <= _LARGEST:
        raise ValueError(f"o3_lambda must be an integer from 0 to {_LARGEST}, got {l!r}")
    if type(sigma) is not int or sigma not in (1, -1):
        what = "o3_sigma must be 1, or -1 of a pseudotensor"
        raise ValueError(f"{what}, got {sigma!r}")
    return Irrep(l, sigma)


KIND = Spherical

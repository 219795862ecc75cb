"""Errors of every structure: where it is from, how it is made up, how wrong each prediction is.

A quantity of an error table (``energy``, ``forces``, ``stress``, any other target) has, for each
structure, sums over its labelled components, so that the errors of any group of structures are
exact: ``sqrt(Σ squares / Σ count)``. A few numbers are kept for each structure and none for its
atoms.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from ase.data import chemical_symbols
from numpy.typing import NDArray
from torch import Tensor

from mtt.data import Dataset
from mtt.data.storage.info_keys import info_of
from mtt.evaluation.predict import Prediction
from mtt.evaluation.quantities import Quantity, quantities
from mtt.evaluation.sums import Residual, residual

Float = NDArray[np.float64]
Index = NDArray[np.int64]


class Place(NamedTuple):
    """Where a structure is from."""

    file: str
    frame: int  # in the file, from 0; in the data set where the source names no frame


@dataclass(frozen=True)
class QuantityErrors:
    """Errors of one quantity; float64 arrays [n], one number for each structure.

    :param name: as in the error table: ``"forces"``.
    :param unit: of the errors, that of the data set (``eV/Å``); empty where it is not given.
    :param single: a structure has one number of it, so that an error has a sign.
    :param difference: prediction minus label, summed over the components.
    :param count: labelled components; 0: the structure has no label.
    """

    name: str
    unit: str
    single: bool
    difference: Float
    squares: Float
    absolutes: Float
    largest: Float
    count: Float

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """[n] whether a structure has a label."""
        return self.count > 0

    @property
    def rmse(self) -> Float:
        """[n] of the components of each structure; NaN without a label."""
        return np.sqrt(_over(self.squares, self.count))

    def columns(self) -> dict[str, Float]:
        """The errors of a table, by name: one with its sign, or RMSE and largest of several.

        NaN where a structure has no label, and where the prediction is NaN.
        """
        if self.single:
            return {f"{self.name} error": _over(self.difference, self.count)}
        worst = np.where(self.labelled, self.largest, np.nan)
        return {f"{self.name} RMSE": self.rmse, f"{self.name} MaxAE": worst}

    def pooled(self, chosen: Index | NDArray[np.bool_] | slice = slice(None)) -> tuple[float, ...]:
        """RMSE, MAE, largest error and number of components of ``chosen``; NaN without labels."""
        count = float(self.count[chosen].sum())
        if not count:
            return float("nan"), float("nan"), float("nan"), 0.0
        root = float(np.sqrt(self.squares[chosen].sum() / count))
        worst = float(self.largest[chosen].max())
        return root, float(self.absolutes[chosen].sum()) / count, worst, count


@dataclass(frozen=True)
class GroupErrors:
    """Errors of the structures that have one value of a key.

    :param value: of the key; empty for the structures without it.
    :param errors: quantity to RMSE, MAE, largest error and number of labelled components.
    """

    value: str
    n_structures: int
    errors: Mapping[str, tuple[float, ...]]


class PerStructure:
    """Collects the errors of each structure of a data set, batch by batch.

    :param dataset: its structures have the numbers 0 … n - 1 here.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._quantities = quantities(dataset.info, totals=False, extended=False)
        self._sums = np.zeros((len(self._quantities), 5, len(dataset)))

    def __len__(self) -> int:
        return len(self.dataset)

    def update(self, prediction: Prediction) -> None:
        """Add one batch; waits for the device once."""
        rows, kept = [], []
        for k, quantity in enumerate(self._quantities):
            found = prediction.targets.get(quantity.target)
            label = prediction.labels.get(quantity.target)
            if found is None or label is None:
                continue
            volumes = prediction.volumes
            one = residual(quantity.part, found, label, prediction.n_atoms, volumes)
            if one is not None:
                rows.append(_by_structure(one, *self._owners(quantity, prediction)))
                kept.append(k)
        if rows:
            index = prediction.index.cpu().numpy()
            places = np.array(kept)[:, None, None], np.arange(5)[:, None], index
            self._sums[places] = torch.stack(rows).cpu().numpy()

    def _owners(self, quantity: Quantity, prediction: Prediction) -> tuple[int, Tensor | None]:
        """Number of structures, and that of each row; None where rows are structures."""
        target, n = self.dataset.info.targets[quantity.target], len(prediction.n_atoms)
        device = prediction.n_atoms.device
        if quantity.part == "values" and target.per_pair:
            assert prediction.pairs is not None, "predictions of pairs come with the pairs"
            return n, prediction.pairs[:, 0].to(device)
        if quantity.part == "forces" or (quantity.part == "values" and target.per_atom):
            return n, torch.repeat_interleave(torch.arange(n, device=device), prediction.n_atoms)
        return n, None

    def _is_single(self, quantity: Quantity) -> bool:
        target = self.dataset.info.targets[quantity.target]
        values = quantity.part in ("values", "per atom") and target.per_structure
        return values and math.prod(target.shape) == 1

    # ---- errors

    @cached_property
    def errors(self) -> tuple[QuantityErrors, ...]:
        """Of every quantity that has labels; complete once the last batch is added."""
        found = []
        for quantity, sums in zip(self._quantities, self._sums, strict=True):
            if sums[4].any():
                single = self._is_single(quantity)
                found.append(QuantityErrors(quantity.name, quantity.unit, single, *sums))
        return tuple(found)

    @cached_property
    def badness(self) -> Float:
        """[n] RMSE of each structure over that of the data set, of the quantity where it is worst.

        Infinite where a prediction is NaN, 0 without any label.
        """
        found = np.zeros(len(self))
        for one in self.errors:
            known = one.rmse[one.labelled]
            finite = np.isfinite(known)
            whole = float(np.sqrt(one.squares[one.labelled][finite].sum()))
            whole /= float(np.sqrt(one.count[one.labelled][finite].sum())) or 1.0
            ratio = known / whole if whole else np.zeros_like(known)
            ratio[~finite] = np.inf
            found[one.labelled] = np.maximum(found[one.labelled], ratio)
        return found

    def worst(self, n: int) -> Index:
        """The ``n`` structures of the greatest :attr:`badness`, the worst first."""
        order = np.argsort(-self.badness, kind="stable")
        return order[self.badness[order] > 0][:n].astype(np.int64)

    def by_group(self, key: str) -> list[GroupErrors]:
        """Errors by the value of an info key, the largest group first.

        :raises KeyError: no structure has such a key.
        """
        values, of = np.unique(self.info[key], return_inverse=True)
        groups = []
        for k, value in enumerate(values.tolist()):
            mine = np.flatnonzero(of.reshape(-1) == k)
            errors = {one.name: one.pooled(mine) for one in self.errors}
            groups.append(GroupErrors(value, len(mine), errors))
        return sorted(groups, key=lambda group: -group.n_structures)

    # ---- what the structures are

    @cached_property
    def info(self) -> dict[str, NDArray[Any]]:
        """Key to [n] text, ``""`` where missing: what the files say in one word or number each.

        Of packed data sets nothing is known.
        """
        known = info_of(self.dataset.columns)
        return {name: values[self.dataset.structures] for name, values in known.items()}

    @cached_property
    def n_atoms(self) -> Index:
        """[n] atoms of each structure."""
        counts: Index = self.dataset.n_atoms.numpy()
        return counts

    @cached_property
    def composition(self) -> Index:
        """[n, elements] atoms of each of ``dataset.info.atomic_types``."""
        types = self.dataset.info.atomic_types
        counts: Index = self.dataset.composition(types).numpy().astype(np.int64)
        return counts

    def formula(self, i: int) -> str:
        """``C2H6O``: carbon and hydrogen first, as Hill does, else by the alphabet."""
        types = self.dataset.info.atomic_types
        row = self.composition[i].tolist()
        counts = {chemical_symbols[z]: n for z, n in zip(types, row, strict=True) if n}
        first = [s for s in ("C", "H") if s in counts] if "C" in counts else []
        symbols = first + sorted(set(counts) - set(first))
        return "".join(
            f"{symbol}{counts[symbol] if counts[symbol] > 1 else ''}" for symbol in symbols
        )

    def place(self, i: int) -> Place:
        """File and frame of structure ``i``."""
        source = self.dataset.source(i)
        path, comma, number = source.rpartition(", frame ")
        return Place(path, int(number)) if comma and number.isdecimal() else Place(source, i)

    def rows(
        self, chosen: Sequence[int] | Index | None = None, info: Sequence[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """One row for each of ``chosen`` structures, in plain Python values.

        The columns are ``file``, ``frame``, ``atoms``, ``formula``, the errors of
        :meth:`QuantityErrors.columns` (None where a structure has no label), and ``info KEY``.

        :param info: the keys to show; None: all.
        """
        keys = list(self.info) if info is None else info
        errors = [(one.labelled, one.columns()) for one in self.errors]
        for i in range(len(self)) if chosen is None else map(int, chosen):
            place = self.place(i)
            row: dict[str, Any] = {"file": place.file, "frame": place.frame}
            row |= {"atoms": int(self.n_atoms[i]), "formula": self.formula(i)}
            for labelled, columns in errors:
                row |= {
                    name: float(values[i]) if labelled[i] else None
                    for name, values in columns.items()
                }
            yield row | {f"info {key}": str(self.info[key][i]) or None for key in keys}

    def units(self) -> dict[str, str]:
        """Name of an error of :meth:`rows` to its unit."""
        return {name: one.unit for one in self.errors for name in one.columns()}


def _by_structure(found: Residual, n: int, owner: Tensor | None) -> Tensor:
    """[5, n] float64: sum, squares, absolute values, largest absolute value, count.

    :param owner: structure of each row; None where rows are structures.
    """
    error, counted = found.error.flatten(1), found.counted.flatten(1)
    sizes = error.abs()
    sums = torch.stack(
        [error.sum(1), error.square().sum(1), sizes.sum(1), counted.sum(1, dtype=torch.float64)]
    )
    largest = sizes.amax(1)
    if owner is not None:
        sums = sums.new_zeros(4, n).index_add(1, owner, sums)
        largest = largest.new_zeros(n).scatter_reduce(0, owner, largest, "amax")
    return torch.stack([*sums[:3], largest, sums[3]])


def _over(values: Float, count: Float) -> Float:
    return np.divide(values, count, out=np.full_like(values, np.nan), where=count > 0)

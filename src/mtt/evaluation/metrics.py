"""Errors of predictions: exact over a whole data set, whatever the batch size.

Root mean squared (RMSE) and mean absolute errors (MAE) are quotients of sums over all
labelled components, and the largest error (MaxAE) is the largest of those of the batches. Only
the sums and maxima are kept, in float64 on the device of the predictions. What is scored, and
under which names, is defined in :mod:`mtt.evaluation.quantities`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from mtt.data.info import DatasetInfo
from mtt.data.labels.units import shown
from mtt.evaluation.quantities import (
    COMPONENTS,
    COSINE,
    CUMULATIVE,
    ELEMENTS,
    NORM,
    SHIFTED,
    parts_of,
    quantities,
)
from mtt.evaluation.spectra import by_integral, by_shift
from mtt.evaluation.sums import (
    Residual,
    Tally,
    by_component,
    by_element,
    by_norm,
    cosine,
    largest,
    part_of,
    residual,
    whole,
)
from mtt.graph import Target
from mtt.ranks import Ranks

_OF_BOTH = ((NORM, by_norm), (COSINE, cosine), (SHIFTED, by_shift), (CUMULATIVE, by_integral))
"""What is made of predictions and labels, not of their differences; in the order of the parts."""


class Metric(NamedTuple):
    """One number of an error table, in the unit that it is shown in."""

    name: str
    value: float
    unit: str


class Errors:
    """Streaming errors of all targets of a data set.

    :param dataset_info: the targets; gradients are scored where a target declares them.
    :param totals: also score the energies of whole structures, as ``energy total RMSE``.
    :param extended: also score elements, components and the direction of forces, and find the
        largest error of every quantity. The other errors are the same numbers, bit for bit.
    """

    sums: Tensor
    """[n_quantities, 3] float64: sum of squares, sum of absolute values, count.

    Of a cosine the second one is the sum of the cosines.
    """

    maxima: Tensor
    """[n_quantities] float64, largest absolute error; empty unless ``extended``."""

    def __init__(
        self, dataset_info: DatasetInfo, *, totals: bool = False, extended: bool = False
    ) -> None:
        self._n_types, self._extended = len(dataset_info.atomic_types), extended
        self._whole = quantities(dataset_info, totals=totals, extended=False)
        self._parts = [parts_of(whole, dataset_info) if extended else [] for whole in self._whole]
        self._quantities = [*self._whole, *(part for parts in self._parts for part in parts)]
        n = len(self._quantities)
        self.sums = torch.zeros(n, 3, dtype=torch.float64)
        self.maxima = torch.zeros(n if extended else 0, dtype=torch.float64)

    def update(
        self,
        predictions: Mapping[str, Target],
        labels: Mapping[str, Target],
        n_atoms: Tensor,
        volumes: Tensor,
        *,
        types: Tensor | None = None,
    ) -> None:
        """Add one batch; without a synchronisation of the device.

        A component counts where its label is finite. Targets that either side lacks are
        left out. A structure has a stress where its volume is finite and positive.

        :param predictions: physical totals, see :class:`mtt.Target`.
        :param labels: likewise, NaN where missing.
        :param n_atoms: [n_systems].
        :param volumes: [n_systems] float64.
        :param types: [n_atoms] int64, index into ``dataset_info.atomic_types``; needed by
            ``extended`` alone.
        """
        found = []
        for quantity in self._whole:
            prediction, label = predictions.get(quantity.target), labels.get(quantity.target)
            one = None
            if prediction is not None and label is not None:
                one = residual(quantity.part, prediction, label, n_atoms, volumes)
            found.append(one)
        numbers = [
            number for one in found for number in ([None] * 3 if one is None else whole(one))
        ]
        known = [number for number in numbers if number is not None]
        if not known:
            return
        nothing = torch.zeros_like(known[0])
        batch = torch.stack([nothing if number is None else number for number in numbers])
        sums = batch.view(-1, 3)
        if self._extended:
            assert types is not None, "extended errors need the types of the atoms"
            parts = self._tallies(found, predictions, labels, types)
            sums = torch.cat([sums, *(part.sums for part in parts)])
            worst = [nothing[None] if one is None else largest(one) for one in found]
            maxima = torch.cat([*worst, *(part.maxima for part in parts)])
            before = self.maxima.to(maxima.device, non_blocking=True)
            self.maxima = torch.maximum(before, maxima)
        self.sums = self.sums.to(sums.device, non_blocking=True) + sums

    def merge(self, other: Errors) -> None:
        """Add all that ``other``, of the same quantities, has seen."""
        assert self.names == other.names, "errors of different quantities"
        self.add(other.sums, other.maxima)

    def add(self, sums: Tensor, maxima: Tensor) -> None:
        """Add ``sums`` and ``maxima`` of the same quantities."""
        assert sums.shape == self.sums.shape, "errors of different quantities"
        self.sums = self.sums + sums.to(self.sums.device)
        self.maxima = torch.maximum(self.maxima, maxima.to(self.maxima.device))

    def clear(self) -> None:
        """Forget all that was seen."""
        self.sums, self.maxima = torch.zeros_like(self.sums), torch.zeros_like(self.maxima)

    def over(self, ranks: Ranks, device: torch.device) -> Errors:
        """The errors of all that ``ranks`` have seen, each of them on its ``device``."""
        pooled = copy.copy(self)
        (pooled.sums,) = ranks.sum([self.sums.to(device)])
        pooled.maxima = ranks.largest(self.maxima.to(device))
        return pooled

    @property
    def names(self) -> list[str]:
        """The keys of :meth:`compute`; those that are not ``extended`` come first."""
        names = [name for quantity in self._whole for name in quantity.metrics]
        if self._extended:
            names += [quantity.maximum for quantity in self._whole]
        return names + [name for parts in self._parts for part in parts for name in part.all_names]

    def compute(self) -> dict[str, float]:
        """Name to error in the units of the targets; NaN where no label was seen.

        The one synchronisation of the device.
        """
        found: dict[str, float] = {}
        maxima = self.maxima.tolist() or [0.0] * len(self._quantities)
        rows = zip(self._quantities, self.sums.tolist(), maxima, strict=True)
        for quantity, (squares, absolutes, count), worst in rows:
            mean = absolutes / count if count else float("nan")
            if quantity.division == COSINE:
                found[quantity.name] = mean
                continue
            root = (squares / count) ** 0.5 if count else float("nan")
            found.update(zip(quantity.metrics, (root, mean), strict=True))
            found[quantity.maximum] = worst if count else float("nan")
        return {name: found[name] for name in self.names}

    def counts(self) -> dict[str, int]:
        """Quantity (``"forces"``, without ``RMSE``) to the number of components seen.

        Of a cosine, the number of atoms.
        """
        counted = self.sums[:, 2].tolist()
        return {q.name: int(n) for q, n in zip(self._quantities, counted, strict=True)}

    def _tallies(
        self,
        found: list[Residual | None],
        predictions: Mapping[str, Target],
        labels: Mapping[str, Target],
        types: Tensor,
    ) -> list[Tally]:
        """What is kept of elements, components and cosines, in the order of the quantities."""
        tallies = []
        for quantity, parts, one in zip(self._whole, self._parts, found, strict=True):
            if one is None:
                zeros = self.sums.new_zeros(len(parts), 3, device=types.device)
                tallies.append(Tally(zeros, zeros[:, 0]))
                continue
            divisions = {part.division for part in parts}
            if ELEMENTS in divisions:
                tallies.append(by_element(one, types, self._n_types))
            if COMPONENTS in divisions:
                tallies.append(by_component(one, quantity.components))
            for division, tally in _OF_BOTH:
                if division in divisions:
                    predicted = part_of(quantity.part, predictions[quantity.target])
                    true = part_of(quantity.part, labels[quantity.target])
                    assert predicted is not None
                    assert true is not None
                    tallies.append(tally(predicted, true))
        return tallies


def names(dataset_info: DatasetInfo, *, totals: bool = False, extended: bool = False) -> list[str]:
    """The keys of :meth:`Errors.compute`, in their order."""
    return Errors(dataset_info, totals=totals, extended=extended).names


def units(dataset_info: DatasetInfo, *, extended: bool = False) -> dict[str, str]:
    """Name of every error to the unit that :func:`display` shows it in (eV shown as meV).

    A unit that is not known, wholly or in part, is ``""``, as that of a cosine.
    """
    raw = _units(dataset_info)
    return {
        name: shown(raw[name])[0] for name in names(dataset_info, totals=True, extended=extended)
    }


def display(dataset_info: DatasetInfo, errors: Mapping[str, float]) -> list[Metric]:
    """``errors`` (of :meth:`Errors.compute`) as rows, values converted to the shown units."""
    raw = _units(dataset_info)
    rows = []
    for name, value in errors.items():
        unit, factor = shown(raw[name])
        rows.append(Metric(name, value * factor, unit))
    return rows


def _units(info: DatasetInfo) -> dict[str, str]:
    """Name of every error, totals and extended ones too, to its unit before conversion."""
    return {
        name: quantity.unit
        for quantity in quantities(info, totals=True, extended=True)
        for name in quantity.all_names
    }

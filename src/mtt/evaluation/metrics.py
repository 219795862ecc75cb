"""Errors of predictions: exact over a whole data set, whatever the batch size.

Root mean squared (RMSE) and mean absolute errors (MAE) are quotients of sums over all
labelled components; only the sums are kept, in float64 on the device of the predictions.

====================  =====================================  ==========================
name                  error of                               counted
====================  =====================================  ==========================
``energy``            energy / number of atoms               structures
``energy total``      energy                                 structures
``forces``            force components                       3 per atom
``stress``            strain derivative / volume             9 per periodic structure
``virial``            strain derivative / number of atoms    9 per structure
====================  =====================================  ==========================

These are the names of the target called ``energy``. Derivatives of another target carry its
name (``mtt::E2 forces RMSE``); targets that are no energy of a structure are scored as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from mtt.data.info import DatasetInfo
from mtt.data.units import shown
from mtt.graph import Target


class Metric(NamedTuple):
    """One number of an error table, in the unit that it is shown in."""

    name: str
    value: float
    unit: str


class _Quantity(NamedTuple):
    """One line of accumulated sums."""

    name: str
    target: str
    part: str  # "values", "per atom", "forces", "stress" or "virial"
    unit: str  # before display conversion


class Errors:
    """Streaming RMSE and MAE of all targets of a data set.

    :param dataset_info: the targets; gradients are scored where a target declares them.
    :param totals: also score the energies of whole structures, as ``energy total RMSE``.
    """

    sums: Tensor
    """[n_quantities, 3] float64: sum of squares, sum of absolute values, count.

    Everything that is accumulated; the errors over several processes are those of the sum
    of their ``sums`` (``torch.distributed.all_reduce(errors.sums)``).
    """

    def __init__(self, dataset_info: DatasetInfo, *, totals: bool = False) -> None:
        self._quantities = _quantities(dataset_info, totals)
        self.sums = torch.zeros(len(self._quantities), 3, dtype=torch.float64)

    def update(
        self,
        predictions: Mapping[str, Target],
        labels: Mapping[str, Target],
        n_atoms: Tensor,
        volumes: Tensor,
    ) -> None:
        """Add one batch; without a synchronisation of the device.

        A component counts where its label is finite. Targets that either side lacks are
        left out. A structure has a stress where its volume is finite and positive.

        :param predictions: physical totals, see :class:`mtt.Target`.
        :param labels: likewise, NaN where missing.
        :param n_atoms: [n_systems].
        :param volumes: [n_systems] float64.
        """
        numbers: list[Tensor | None] = []
        for quantity in self._quantities:
            prediction, label = predictions.get(quantity.target), labels.get(quantity.target)
            row = None
            if prediction is not None and label is not None:
                row = _sums(quantity.part, prediction, label, n_atoms, volumes)
            numbers += row or [None] * 3
        found = [number for number in numbers if number is not None]
        if found:
            nothing = torch.zeros_like(found[0])
            batch = torch.stack([nothing if number is None else number for number in numbers])
            self.sums = self.sums.to(batch.device) + batch.view(-1, 3)

    def compute(self) -> dict[str, float]:
        """Name to error in the units of the targets; NaN where no label was seen.

        The one synchronisation of the device.
        """
        errors: dict[str, float] = {}
        for quantity, row in zip(self._quantities, self.sums.tolist(), strict=True):
            squares, absolutes, count = row
            errors[f"{quantity.name} RMSE"] = (squares / count) ** 0.5 if count else float("nan")
            errors[f"{quantity.name} MAE"] = absolutes / count if count else float("nan")
        return errors

    def counts(self) -> dict[str, int]:
        """Quantity (``"forces"``, without ``RMSE``) to the number of components seen."""
        counted = self.sums[:, 2].tolist()
        return {q.name: int(n) for q, n in zip(self._quantities, counted, strict=True)}


def names(dataset_info: DatasetInfo, *, totals: bool = False) -> list[str]:
    """The keys of :meth:`Errors.compute`, in their order."""
    return list(Errors(dataset_info, totals=totals).compute())


def units(dataset_info: DatasetInfo) -> dict[str, str]:
    """Name of every error to the unit that :func:`display` shows it in (eV shown as meV).

    An unknown unit is ``""``; a force or stress in an unknown length unit is per ``length``.
    """
    return {name: shown(unit)[0] for name, unit in _units(dataset_info).items()}


def display(dataset_info: DatasetInfo, errors: Mapping[str, float]) -> list[Metric]:
    """``errors`` (of :meth:`Errors.compute`) as rows, values converted to the shown units."""
    raw = _units(dataset_info)
    rows = []
    for name, value in errors.items():
        unit, factor = shown(raw[name])
        rows.append(Metric(name, value * factor, unit))
    return rows


def _quantities(info: DatasetInfo, totals: bool) -> list[_Quantity]:
    length = _LENGTHS.get(info.length_unit.lower(), info.length_unit) or "length"
    quantities = []
    for name, target in info.targets.items():
        prefix = "" if name == "energy" else f"{name} "
        if target.is_energy:
            quantities.append(_Quantity(name, name, "per atom", _per(target.unit, "atom")))
        else:
            quantities.append(_Quantity(name, name, "values", target.unit))
        if target.is_energy and totals:
            quantities.append(_Quantity(f"{name} total", name, "values", target.unit))
        if target.has_forces:
            unit = _per(target.unit, length)
            quantities.append(_Quantity(f"{prefix}forces", name, "forces", unit))
        if target.has_strain and target.strain_name == "virial":
            unit = _per(target.unit, "atom")
            quantities.append(_Quantity(f"{prefix}virial", name, "virial", unit))
        elif target.has_strain:
            unit = _per(target.unit, f"{length}³")
            quantities.append(_Quantity(f"{prefix}stress", name, "stress", unit))
    return quantities


def _sums(
    part: str, prediction: Target, label: Target, n_atoms: Tensor, volumes: Tensor
) -> list[Tensor] | None:
    """0-d float64: squares, absolute values and count; None where a side lacks the part."""
    predicted, true = _of(part, prediction), _of(part, label)
    if predicted is None or true is None:
        return None
    assert predicted.shape == true.shape, f"{part}: {predicted.shape} against {true.shape}"
    error, counted = predicted.double() - true, true.isfinite()
    if part in ("per atom", "virial", "stress"):
        size = volumes if part == "stress" else n_atoms
        size = size.reshape(-1, *[1] * (error.dim() - 1))
        error = error / size
        if part == "stress":
            counted = counted & size.isfinite() & (size > 0)
    error = torch.where(counted, error, 0.0).flatten()
    absolutes = torch.linalg.vector_norm(error, ord=1)
    return [torch.dot(error, error), absolutes, counted.sum(dtype=torch.float64)]


def _of(part: str, target: Target) -> Tensor | None:
    if part == "forces":
        return target.forces
    return target.strain if part in ("stress", "virial") else target.values


def _units(info: DatasetInfo) -> dict[str, str]:
    """Name of every error, totals included, to its unit before display conversion."""
    return {
        f"{quantity.name} {kind}": quantity.unit
        for quantity in _quantities(info, totals=True)
        for kind in ("RMSE", "MAE")
    }


_LENGTHS = {"angstrom": "Å", "ang": "Å", "a": "Å"}


def _per(unit: str, other: str) -> str:
    return f"{unit}/{other}" if unit else ""

"""Factor between labels and predictions: another unit, or the opposite sign."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from metatomic.torch import unit_conversion_factor
from torch import Tensor

from mtt.baselines.offset import fit_offset
from mtt.scanning.tools.regression import Fit, fit
from mtt.scanning.tools.unit_readings import ENERGIES

_NEAR = 0.15  # of the logarithm: slopes of noisy predictions this close to a factor are the same
_COMPONENTS = 30_000  # force components that a slope needs at most
_CLEAR = 5.0  # a model that is not yet trained well is rarely off by more than this factor
_SURE = 0.95  # correlation at which a smaller factor counts too
_SYMBOLS = {"angstrom": "Å", "bohr": "a₀"}


class Factor(NamedTuple):
    """Labels change ``slope`` times as much as predictions do.

    :param unit: the one or two units that would explain it; empty where it is the sign.
    """

    slope: float
    correlation: float
    unit: str


def energy_factor(
    counts: Tensor, labels: Tensor, predictions: Tensor, sizes: Tensor, unit: str
) -> Factor | None:
    """Factor of energies per atom, both without their fit to the composition; None for one.

    :param counts: [n, n_types] float64, atoms of each element.
    :param labels: [n, 1] float64, without missing ones; ``predictions`` likewise.
    :param sizes: [n] float64, atoms.
    :param unit: of the energies, as the options say; eV where it is empty.
    """
    free = range(counts.shape[1])
    both = [
        fit_offset(counts, one, sizes, free, robust=False).left for one in (labels, predictions)
    ]
    slope = _slope(both[0].flatten(), both[1].flatten())
    said = unit or "eV"
    units = {one: unit_conversion_factor(said, one) for one in ENERGIES}
    return _explained(slope, units)


def force_factor(
    labels: Tensor, predictions: Tensor, energy_unit: str, length_unit: str
) -> Factor | None:
    """Factor of the components of forces [n, 3], NaN where a label is missing; None for one."""
    known = labels.isfinite() & predictions.isfinite()
    some, others = labels[known], predictions[known]
    step = max(1, -(-len(some) // _COMPONENTS))
    slope = _slope(some[::step], others[::step])
    energy, length = energy_unit or "eV", length_unit or "angstrom"
    units = {
        f"{e}/{_SYMBOLS.get(n, n)}": unit_conversion_factor(energy, e)
        / unit_conversion_factor(length, n)
        for e in ENERGIES
        for n in ("angstrom", "bohr")
    }
    return _explained(slope, units)


def _slope(labels: Tensor, predictions: Tensor) -> Fit:
    x, y = predictions.numpy(), labels.numpy()
    return fit(y, x, np.zeros(len(x)))


def _explained(found: Fit, units: dict[str, float]) -> Factor | None:
    """The units whose factors are close to the slope, unless that of the options is one of them."""
    if not found.is_sure:
        return None
    if found.slope < 0:
        return Factor(found.slope, found.correlation, "")
    if max(found.slope, 1 / found.slope) < _CLEAR and found.correlation < _SURE:
        return None
    off = {unit: abs(np.log(found.slope / factor)) for unit, factor in units.items()}
    near = sorted((one for one in off if off[one] < _NEAR), key=lambda one: off[one])
    if not near or any(abs(np.log(units[unit])) < _NEAR for unit in near):
        return None
    return Factor(found.slope, found.correlation, " or ".join(near[:2]))

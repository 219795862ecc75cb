"""Forces against the energies they are derivatives of: their sign and unit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mtt.scanning.finding import Finding, Place, Severity
from mtt.scanning.forces import Forces
from mtt.scanning.regression import FEWEST, Fit, best, fit
from mtt.scanning.steps import Steps
from mtt.scanning.structures import Structures
from mtt.scanning.units import explain

CHECK = "forces against energies"
_LENGTHS = (0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4)  # Å: steps up to these are looked at
_STRAIN = 0.04  # largest component of the strain of steps that stresses account for
_SIMILAR = 0.3  # Å: steps this short tell of labels that are no derivatives at all,
_MANY = 30  # if there are so many of them
_UNRELATED = 0.25  # and R² is below this
_GOOD = 1.3  # slopes within this factor of 1 are right


def check_forces(
    structures: Structures, forces: dict[str, Forces], along: dict[str, Steps]
) -> Iterator[Finding]:
    """Sign and unit of forces in each file, by how energies change along steps."""
    for name, found in along.items():
        if name not in forces:
            continue
        usable = np.isfinite(found.by_forces) & (found.by_forces != 0)
        labelled = (forces[name].largest > 0.0) & np.isfinite(structures.energy(name))
        labelled &= structures.n_atoms > 1
        for file in np.unique(structures.file[labelled]):
            mine = usable & (structures.file[found.first] == file)
            slope = _slope(found.chosen(mine), structures.angstrom)
            where = structures.whole(labelled & (structures.file == file))
            close = mine & (found.moved < _SIMILAR * structures.angstrom)
            if not slope.is_sure and close.sum() >= _MANY:
                among = _slope(found.chosen(close), structures.angstrom)
                if among.n >= _MANY and among.r2 < _UNRELATED:
                    yield _unrelated(name, among, where)
                    continue
            yield _judge(structures, name, slope, where)


def _slope(found: Steps, angstrom: float) -> Fit:
    """Over steps at one cell, or over all where stresses account for the rest."""
    rigid = found.strained < 1e-6
    known = (found.strained < _STRAIN) & np.isfinite(found.by_stress)
    fits = []
    for usable in (rigid, rigid | known):
        for length in _LENGTHS:
            near = found.chosen(usable & (found.moved < length * angstrom))
            by_stress = np.where(near.strained < 1e-6, 0.0, near.by_stress)
            fits.append(fit(near.change, near.by_forces, by_stress))
    return best(fits)


def _unrelated(name: str, slope: Fit, where: tuple[Place, ...]) -> Finding:
    what = (
        f"forces do not say how {name} changes between similar structures: R² = "
        f"{slope.r2:.2f} over {slope.n} pairs"
    )
    advice = "do labels belong to other structures, or were structures turned or reordered?"
    return Finding(CHECK, "suspicious", what, where, slope.r2, "", advice)


def _judge(structures: Structures, name: str, slope: Fit, where: tuple[Place, ...]) -> Finding:
    if not slope.is_sure:
        few = slope.n < FEWEST
        r2 = None if few else slope.r2
        why = "too few pairs of similar structures" if few else "similar structures are too rare"
        why += "" if few else f", R² = {slope.r2:.2f} over {slope.n} pairs"
        what = f"whether forces are derivatives of {name} cannot be told: {why}"
        advice = "to be sure, add a few frames of one trajectory"
        return Finding(CHECK, "note", what, where, r2, "", advice)
    said = f"over {slope.n} pairs of similar structures, R² = {slope.r2:.2f}"
    size = abs(slope.slope)
    is_unit = not 1 / _GOOD < size < _GOOD
    if slope.slope > 0 and not is_unit:
        what = f"{name} changes {slope.slope:.2f} times as forces say, {said}"
        return Finding(CHECK, "fine", what, where, slope.slope)
    problems = ["the wrong sign"] * (slope.slope < 0) + ["another unit"] * is_unit
    what = f"forces have {' and '.join(problems)}: {name} changes {slope.slope:.3g} times as they "
    remedies = ["these are gradients: reverse their sign"] * (slope.slope < 0)
    info = structures.info
    units = explain(size, info.targets[name].unit, info.length_unit) if is_unit else ""
    if is_unit:
        remedies.append(f"it would fit {units}" if units else "no common units explain it")
    sure = slope.slope < 0 or units or not 1 / 3 < size < 3
    severity: Severity = "wrong" if sure else "suspicious"
    return Finding(
        CHECK, severity, f"{what}say, {said}", where, slope.slope, "", "; ".join(remedies)
    )

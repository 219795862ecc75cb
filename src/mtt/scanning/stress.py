"""Stresses against the energies they are derivatives of: their sign, unit and kind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mtt.scanning.finding import Finding, Place, Severity
from mtt.scanning.regression import Fit, best, fit
from mtt.scanning.steps import Steps
from mtt.scanning.structures import Float, Structures
from mtt.scanning.units import PRESSURES, same

CHECK = "stress against energies"
_STRAINS = (0.01, 0.02, 0.04, 0.07, 0.1)  # steps with components up to these are looked at
_LONGEST = 0.3  # Å, of displacements that the cell does not follow
_GOOD = 1.3  # slopes within this factor of 1 are right
_NEAR = 0.25  # of the logarithm: units of stress are far apart


def check_stress(structures: Structures, along: dict[str, Steps]) -> Iterator[Finding]:
    """Sign and unit of stresses in each file, by how energies change with the cell."""
    for name, info in structures.energies.items():
        if not info.has_strain:
            continue
        labelled = np.isfinite(structures.strain(name)).all(axis=(1, 2))
        found = along[name]
        usable = np.isfinite(found.by_stress) & (found.strained > 1e-6)
        usable &= found.moved < _LONGEST * structures.angstrom
        for file in np.unique(structures.file[labelled]):
            mine = found.chosen(usable & (structures.file[found.first] == file))
            where = structures.whole(labelled & (structures.file == file))
            volumes = structures.volumes[mine.first]
            yield _judge(name, info.strain_name, mine, volumes, where)


def _judge(name: str, word: str, found: Steps, volumes: Float, where: tuple[Place, ...]) -> Finding:
    slope = _slope(found, found.by_stress)
    other = _slope(found, found.by_stress * (volumes if word == "virial" else 1.0 / volumes))
    if other.is_sure and same(abs(other.slope), 1.0, _NEAR) and not _is_right(slope):
        return _wrong_kind(name, word, other, where)
    if not slope.is_sure:
        why = f"R² = {slope.r2:.2f} over {slope.n} pairs of similar structures"
        why = why if slope.n else "too few pairs of similar structures in different cells"
        what = f"whether the {word} is the derivative of {name} cannot be told: {why}"
        advice = "to be sure, add a few strained copies of one structure"
        return Finding(CHECK, "note", what, where, slope.r2 if slope.n else None, "", advice)
    return _of_slope(name, word, slope, where)


def _slope(found: Steps, work: Float) -> Fit:
    by_forces = np.nan_to_num(found.by_forces)
    fits = []
    for strain in _STRAINS:
        near = found.strained < strain
        fits.append(fit(found.change[near], work[near], by_forces[near]))
    return best(fits)


def _is_right(slope: Fit) -> bool:
    return slope.is_sure and 1 / _GOOD < abs(slope.slope) < _GOOD


def _of_slope(name: str, word: str, slope: Fit, where: tuple[Place, ...]) -> Finding:
    size, is_unit = abs(slope.slope), not _is_right(slope)
    said = f"over {slope.n} pairs of similar structures, R² = {slope.r2:.2f}"
    if slope.slope > 0 and not is_unit:
        what = f"{name} changes {slope.slope:.2f} times as the {word} says, {said}"
        return Finding(CHECK, "fine", what, where, slope.slope)
    problems = ["the wrong sign"] * (slope.slope < 0) + ["another unit"] * is_unit
    what = f"the {word} has {' and '.join(problems)}: {name} changes {slope.slope:.3g} times as it "
    advice = []
    if slope.slope < 0:
        rule = "positive under tension" if word == "stress" else "minus volume times stress"
        advice.append(f"reverse its sign: a {word} is {rule}")
    unit = next((u for u, per in PRESSURES.items() if same(1 / size, per, _NEAR)), "")
    if is_unit:
        explained = unit and word == "stress"
        advice.append(f"it would fit {unit} for eV/Å³" if explained else "no common unit fits")
    sure = slope.slope < 0 or unit or not 1 / 3 < size < 3
    severity: Severity = "wrong" if sure else "suspicious"
    return Finding(
        CHECK, severity, f"{what}says, {said}", where, slope.slope, "", "; ".join(advice)
    )


def _wrong_kind(name: str, word: str, other: Fit, where: tuple[Place, ...]) -> Finding:
    really = "stress" if word == "virial" else "virial"
    # a virial is minus volume times stress
    signed = "" if other.slope < 0 else ", with the sign reversed"
    what = (
        f"what is given as {word} looks like a {really}{signed}: {name} changes as it says if it "
        f"is {'divided' if word == 'stress' else 'multiplied'} by the volume, "
        f"R² = {other.r2:.2f} over {other.n} pairs of similar structures"
    )
    advice = f"name it {really} in the options"
    return Finding(CHECK, "wrong", what, where, other.slope, "", advice)

"""Forces against the energies they are derivatives of: their sign and unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from mtt.scanning.tools.by_group import FINE, OPEN, Answer, Question, ask
from mtt.scanning.tools.finding import Finding, Severity
from mtt.scanning.tools.forces import Forces
from mtt.scanning.tools.groups import Partition
from mtt.scanning.tools.regression import FEWEST, Fit, fit, fit_and_rest
from mtt.scanning.tools.steps import Steps
from mtt.scanning.tools.structures import Structures
from mtt.scanning.tools.unit_readings import explain, same

CHECK = "forces against energies"
_LENGTHS = (0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4)  # Å: steps up to these are looked at
_STRAIN = 0.04  # largest component of the strain of steps that stresses account for
_SIMILAR = 0.3  # Å: steps this short show labels that are not derivatives at all,
_MANY = 30  # if there are so many of them
_UNRELATED = 0.25  # and R² is below this
_SHARE = 0.03  # of steps that are far off, from which on they are looked at by themselves
_DIFFERENT = 0.5  # of the logarithm: slopes of these that differ by more are others
_FEW = 5  # steps of a group that may agree with the whole file, by
_AGREES = 0.8  # this R²
_GOOD = 1.3  # slopes within this factor of 1 are right


def check_forces(
    structures: Structures,
    forces: dict[str, Forces],
    along: dict[str, Steps],
    partitions: Sequence[Partition] = (),
) -> Iterator[Finding]:
    """Sign and unit of forces, by how energies change along steps: file by file, and by group."""
    for name, found in along.items():
        if name not in forces:
            continue
        usable = np.isfinite(found.by_forces) & (found.by_forces != 0)
        labelled = (forces[name].largest > 0.0) & np.isfinite(structures.energy(name))
        labelled &= structures.n_atoms > 1
        judge = partial(_judge, structures, name)
        agrees = partial(_agrees, structures.angstrom)
        question = Question(CHECK, usable, labelled, judge, agrees)
        yield from ask(structures, found, question, partitions)


class _Law(NamedTuple):
    """How energies change: by the slope times the work of forces."""

    slope: Fit
    longest: float  # of the steps that say so


def _judge(structures: Structures, name: str, found: Steps) -> Answer:
    law, others = _slope(found, structures.angstrom)
    if not law.slope.is_sure:
        close = found.chosen(found.moved < _SIMILAR * structures.angstrom)
        among = _slope(close, structures.angstrom)[0].slope
        if len(close.first) >= _MANY and among.n >= _MANY and among.r2 < _UNRELATED:
            return _unrelated(name, among)
    if others:
        return _contradictory(name, law.slope, others[0])
    return _answer(structures, name, law)


def _slope(found: Steps, angstrom: float) -> tuple[_Law, list[Fit]]:
    """Over steps at one cell, or over all where stresses account for the rest.

    :return: what proves most, and sure slopes of steps far off it that differ.
    """
    rigid = found.strained < 1e-6
    known = (found.strained < _STRAIN) & np.isfinite(found.by_stress)
    best, others = _Law(Fit(0.0, 0.0, 0), 0.0), []
    for usable in (rigid, rigid | known):
        for length in _LENGTHS:
            near = found.chosen(usable & (found.moved < length * angstrom))
            by_stress = np.where(near.strained < 1e-6, 0.0, near.by_stress)
            slope, off = fit_and_rest(near.change, near.by_forces, by_stress)
            if slope.weight > best.slope.weight:
                best = _Law(slope, length * angstrom)
            if slope.is_sure and off.sum() >= max(FEWEST, _SHARE * len(off)):
                far = near.chosen(off)
                others.append((slope, fit(far.change, far.by_forces, by_stress[off])))
    different = [far for slope, far in others if far.is_sure and not _same(slope, far)]
    return best, different


def _same(one: Fit, other: Fit) -> bool:
    return same(one.slope / other.slope, 1.0, _DIFFERENT)


def _agrees(angstrom: float, found: Steps, law: _Law | None) -> bool:
    """Whether the few steps of a group change energies as the law says."""
    if law is None:
        return False
    near = found.chosen((found.moved < law.longest) & (found.strained < 1e-6))
    if len(near.first) < _FEW:
        return False
    rest = near.change - law.slope.slope * near.by_forces
    return float(rest @ rest) < (1 - _AGREES) * float(near.change @ near.change)


def _unrelated(name: str, slope: Fit) -> Answer:
    what = (
        f"forces do not say how {name} changes between similar structures: R² = "
        f"{slope.r2:.2f} over {slope.n} pairs"
    )
    advice = "do labels belong to other structures, or were structures turned or reordered?"
    return Answer("suspicious", ("unrelated",), what, slope.r2, advice)


def _contradictory(name: str, one: Fit, other: Fit) -> Answer:
    what = (
        f"forces of some structures have another sign or unit than those of others: {name} "
        f"changes {one.slope:.3g} times as much as they say over {one.n} pairs of similar "
        f"structures, and {other.slope:.3g} times over {other.n} others"
    )
    advice = (
        "find out which structures are from which source, and mark them by a key (config_type): "
        "groups are checked one by one"
    )
    return Answer("wrong", ("mixed",), what, other.slope, advice)


def _answer(structures: Structures, name: str, law: _Law) -> Answer:
    slope = law.slope
    if not slope.is_sure:
        few = slope.n < FEWEST
        r2 = None if few else slope.r2
        why = "too few pairs of similar structures" if few else "similar structures are too rare"
        why += "" if few else f", R² = {slope.r2:.2f} over {slope.n} pairs"
        what = f"whether forces are derivatives of {name} cannot be decided: {why}"
        return Answer("note", OPEN, what, r2, "to be sure, add a few structures of one trajectory")
    said = f"over {slope.n} pairs of similar structures, R² = {slope.r2:.2f}"
    size = abs(slope.slope)
    is_unit = not 1 / _GOOD < size < _GOOD
    if slope.slope > 0 and not is_unit:
        what = f"{name} changes {slope.slope:.2f} times as much as forces say, {said}"
        return Answer("fine", FINE, what, slope.slope, "", law)
    problems = ["the wrong sign"] * (slope.slope < 0) + ["another unit"] * is_unit
    what = f"forces have {' and '.join(problems)}: {name} changes {slope.slope:.3g} times "
    remedies = ["these are gradients: reverse their sign"] * (slope.slope < 0)
    info = structures.info
    units = explain(size, info.targets[name].unit, info.length_unit) if is_unit else ""
    if is_unit:
        remedies.append(f"it would fit {units}" if units else "no common units explain it")
    sure = slope.slope < 0 or units or not 1 / 3 < size < 3
    severity: Severity = "wrong" if sure else "suspicious"
    key = ("slope", slope.slope < 0, units or (round(size, 1) if is_unit else ""))
    return Answer(
        severity, key, f"{what}as much as they say, {said}", slope.slope, "; ".join(remedies), law
    )

"""Stresses against those of a model fitted to energies and forces, which never saw a stress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mtt.scanning.fit.fitted import Fitted, Group, groups_of, slope_of
from mtt.scanning.labels.stress_orders import COMPONENTS, READINGS, Reading
from mtt.scanning.labels.stress_words import listed, order_in_words, rule_of, unit_advice
from mtt.scanning.tools.finding import Finding, Severity
from mtt.scanning.tools.groups import Partition
from mtt.scanning.tools.steps import VOIGT
from mtt.scanning.tools.structures import Float, Structures
from mtt.scanning.tools.units import PRESSURES, same

CHECK = "stress against a fit"
_FEWEST = 4  # structures of a group that can be judged
_GOOD = 1.3  # slopes within this factor of 1 are right
_SURE = 0.8  # R² of the best reading, at least
_PART = 0.6  # and of its shear, or normal, components alone, where these are judged
_LIKELY = 8.0  # log likelihood by which another reading excels the one as given,
_WORSE = 1.5  # and times the squares that the one as given leaves over
_MOOT = 1.15  # readings that leave so many times the squares of the best are possible as well
_KIND = 0.25  # of the logarithm: units of stress are far apart


class Judged(NamedTuple):
    """The reading of six numbers that a fit supports.

    :param given: R² as given; ``best`` of the best reading.
    :param possible: readings that are about as good as the best, with the signs of their parts.
    :param slope: of predictions by labels, read best.
    """

    given: float
    best: float
    is_given: bool
    possible: tuple[Reading, ...]
    slope: float
    open: frozenset[int]


def check_stress(
    structures: Structures, name: str, fitted: Fitted, partitions: Sequence[Partition]
) -> Iterator[Finding]:
    """One finding for each group of structures whose stress is labelled."""
    info = structures.info.targets[name]
    word = info.strain_name
    labels = structures.strain(name)[:, *VOIGT]
    predicted = fitted.strain[:, *VOIGT]
    labelled = np.isfinite(labels).all(axis=1) & structures.solid & (structures.volumes > 0)
    # each structure counts alike, however large its cell
    by_atom = 1.0 / structures.n_atoms[:, None]
    for group in groups_of(structures, labelled, partitions):
        mine = group.structures
        if mine.sum() < _FEWEST:
            continue
        own, theirs = labels[mine] * by_atom[mine], predicted[mine] * by_atom[mine]
        volumes = structures.volumes[mine][:, None]
        scaled = own * volumes if word == "virial" else own / volumes
        yield _finding(structures, group, word, fitted, judge(own, theirs), judge(scaled, theirs))


def judge(labels: Float, predicted: Float) -> Judged:
    """Hold all readings of [m, 6] ``labels`` against [m, 6] predictions."""
    total = float((predicted**2).sum()) + 1e-300
    left, slopes, readings = [], [], []
    for reading in READINGS:
        for shear in (1.0, -1.0):
            read = reading.read(labels, shear)
            squares = float((read**2).sum())
            product = float((read * predicted).sum())
            left.append(total - product**2 / squares if squares > 0 else total)
            slopes.append(product / squares if squares > 0 else 0.0)
            sign = 1.0 if slopes[-1] >= 0 else -1.0
            readings.append(reading.times(sign, sign * shear))
    rest = np.maximum(np.array(left), 1e-12 * total)
    best = int(rest.argmin())
    n = 3 * len(labels)  # numbers of a structure are not independent
    ratio = rest[0] / rest[best]
    excelled = 0.5 * n * np.log(ratio) > _LIKELY and ratio > _WORSE
    possible = tuple(
        readings[k] for k in np.flatnonzero(rest < _MOOT * rest[best]) if excelled or k == 0
    )
    chosen = best if excelled else 0
    shown = _undecided(labels, predicted, readings[chosen])
    return Judged(
        1 - rest[0] / total,
        1 - rest[chosen] / total,
        not excelled,
        possible or (readings[chosen],),
        abs(slope_of(readings[chosen].read(labels, 1.0).ravel(), predicted.ravel())[0])
        * float(np.sign(slopes[chosen]) if not excelled else 1.0),
        shown,
    )


def _undecided(labels: Float, predicted: Float, reading: Reading) -> frozenset[int]:
    """Components of which the fit says too little to judge them."""
    read = reading.read(labels, 1.0)
    return frozenset(b for b in range(6) if slope_of(read[:, b], predicted[:, b])[1] < _PART)


def _finding(
    structures: Structures,
    group: Group,
    word: str,
    fitted: Fitted,
    found: Judged,
    scaled: Judged,
) -> Finding:
    n = int(group.structures.sum())
    said = f"{group.said}: " if group.said else ""
    places = structures.places(group.structures) if said else structures.whole(group.structures)
    over = f"over {n} structures, R² = {found.best:.2f}"

    def finding(severity: Severity, what: str, number: float | None, advice: str = "") -> Finding:
        return Finding(CHECK, severity, f"{said}{what}", places, number, "", advice)

    if found.best < _SURE and scaled.best >= _SURE and same(abs(scaled.slope), 1.0, _KIND):
        other = "stress" if word == "virial" else "virial"
        what = (
            f"what is given as {word} looks like a {other}: it agrees with the fit as one, {over}"
        )
        return finding("wrong", what, scaled.slope, f"name it {other} in the options")
    if found.best < _SURE:
        what = f"whether the {word} is right cannot be decided by the fit: {over}"
        return finding("note", what, found.best, "a model with more features may tell more")
    if not found.is_given:
        return finding("wrong", *_other_reading(word, found, over))
    size = abs(found.slope)
    if found.slope < 0 or not 1 / _GOOD < size < _GOOD:
        unit = next((u for u, per in PRESSURES.items() if same(1 / size, per, _KIND)), "")
        problems = ["the wrong sign"] * (found.slope < 0)
        problems += ["another unit"] * (not 1 / _GOOD < size < _GOOD)
        what = f"the {word} has {' and '.join(problems)}: the fit gives {found.slope:.3g} times it, {over}"
        advice = [f"reverse its sign: {rule_of(word)}"] if found.slope < 0 else []
        advice += [unit_advice(size, word)] if len(problems) > len(advice) else []
        sure = found.slope < 0 or unit or not 1 / 3 < size < 3
        return finding("wrong" if sure else "suspicious", what, found.slope, "; ".join(advice))
    if found.open:
        what = (
            f"the {word} agrees with the fit, which gives {found.slope:.2f} times it, {over}; of "
            f"{listed(found.open)} it says too little"
        )
        return finding("note", what, found.slope)
    return finding(
        "fine", f"the {word} is {found.slope:.2f} times that of the fit, {over}", found.slope
    )


def _other_reading(word: str, found: Judged, over: str) -> tuple[str, float, str]:
    """What is said where the numbers are to be read otherwise."""
    orders = [one for one in found.possible if one.source != tuple(range(6))]
    if len(orders) == len(found.possible):
        ways = " or ".join(dict.fromkeys(order_in_words(one) for one in orders))
        what = (
            f"the components of the {word} are in another order: the fit agrees if the six numbers "
            f"are {ways}, {over}; read as {' '.join(COMPONENTS)}, R² = {found.given:.2f}"
        )
        return what, found.slope, f"write them as {' '.join(COMPONENTS)}, or as a matrix of 3 × 3"
    ways = [frozenset(b for b in range(6) if one.signs[b] < 0) for one in found.possible]
    which = " or ".join(dict.fromkeys(listed(one) for one in ways if one))
    what = (
        f"{which} of the {word} have the wrong sign: the fit agrees with them reversed, {over}; as "
        f"given, R² = {found.given:.2f}"
    )
    return what, found.slope, f"reverse the sign of {which}: {rule_of(word)}"

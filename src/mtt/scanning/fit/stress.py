"""Stresses against those of a model fitted to energies and forces, which never saw a stress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mtt.scanning.fit.fitted import Fitted, groups_of
from mtt.scanning.fit.readings import SURE, Judged, judge
from mtt.scanning.labels.stress_orders import COMPONENTS
from mtt.scanning.labels.stress_words import listed, order_in_words, rule_of, unit_advice
from mtt.scanning.tools.finding import Finding, Severity
from mtt.scanning.tools.groups import Partition
from mtt.scanning.tools.steps import VOIGT
from mtt.scanning.tools.structures import Structures
from mtt.scanning.tools.unit_readings import PRESSURES, same

CHECK = "stress against a fit"
_FEWEST = 4  # structures of a group that can be judged
_GOOD = 1.3  # slopes within this factor of 1 are right
_VAGUE, _CLEAR = 1.75, 0.98  # and within this one, where R² is not better
_KIND = 0.25  # of the logarithm: units of stress are far apart
_MORE = "train a model on energies and forces alone, and compare what it predicts"


class _Said(NamedTuple):
    severity: Severity
    what: str
    number: float
    advice: str = ""


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
        said = _say(word, judge(own, theirs), judge(scaled, theirs), int(mine.sum()))
        of = f"{group.said}: " if group.said else ""
        places = structures.places(mine) if of else structures.whole(mine)
        yield Finding(
            CHECK, said.severity, f"{of}{said.what}", places, said.number, "", said.advice
        )


def _say(word: str, found: Judged, scaled: Judged, n: int) -> _Said:
    """What is said of a group of ``n`` structures.

    :param scaled: of labels that are taken for the other kind, stress or virial.
    """
    over = f"over {n} structures, R² = {max(found.best, 0.0):.2f}"
    if found.best < SURE and scaled.best >= SURE and same(abs(scaled.slope), 1.0, _KIND):
        other = "stress" if word == "virial" else "virial"
        what = f"what is given as {word} looks like a {other}: as one it agrees with the fit"
        what += f", over {n} structures, R² = {scaled.best:.2f}"
        return _Said("wrong", what, scaled.slope, f"name it {other} in the options")
    if found.best < SURE:
        what = f"whether the {word} is right cannot be decided by the fit: {over}"
        return _Said("note", what, found.best, _MORE)
    if not found.is_given:
        return _other_reading(word, found, over)
    vague = found.best < _CLEAR and 1 / _VAGUE < found.slope < _VAGUE
    if not vague and not 1 / _GOOD < found.slope < _GOOD:
        return _other_size(word, found, over)
    if found.open or not 1 / _GOOD < found.slope < _GOOD:
        what = (
            f"the {word} agrees with the fit in order and signs; the fit gives {found.slope:.2f} "
            f"times it, {over}"
        )
        if found.open:
            what += f"; of {listed(found.open)} it says too little"
        return _Said("note", what, found.slope)
    what = f"the {word} agrees with the fit, which gives {found.slope:.2f} times it, {over}"
    return _Said("fine", what, found.slope)


def _other_size(word: str, found: Judged, over: str) -> _Said:
    """What is said of a wrong sign, or unit, of the whole."""
    size = abs(found.slope)
    is_unit = not 1 / _GOOD < size < _GOOD
    problems = ["the wrong sign"] * (found.slope < 0) + ["another unit"] * is_unit
    has = f"the {word} has {' and '.join(problems)}"
    what = f"{has}: the fit gives {found.slope:.3g} times it, {over}"
    advice = [f"reverse its sign: {rule_of(word)}"] if found.slope < 0 else []
    advice += [unit_advice(size, word)] if is_unit else []
    unit = any(same(1 / size, per, _KIND) for per in PRESSURES.values())
    sure = found.slope < 0 or unit or not 1 / 3 < size < 3
    return _Said("wrong" if sure else "suspicious", what, found.slope, "; ".join(advice))


def _other_reading(word: str, found: Judged, over: str) -> _Said:
    """What is said where the numbers are to be read otherwise."""
    orders = [one for one in found.possible if one.source != tuple(range(6))]
    if len(orders) == len(found.possible):
        ways = " or ".join(dict.fromkeys(order_in_words(one) for one in orders))
        what = (
            f"the components of the {word} are in another order: the fit agrees if the six numbers "
            f"are {ways}, {over}; read as {' '.join(COMPONENTS)}, R² = {found.given:.2f}"
        )
        return _Said(
            "wrong",
            what,
            found.slope,
            f"write them as {' '.join(COMPONENTS)}, or as a matrix of 3 × 3",
        )
    negative = [frozenset(b for b in range(6) if one.signs[b] < 0) for one in found.possible]
    which = " or ".join(dict.fromkeys(listed(one) for one in negative if one))
    what = (
        f"{which} of the {word} have the wrong sign: the fit agrees with them reversed, {over}; as "
        f"given, R² = {found.given:.2f}"
    )
    return _Said("wrong", what, found.slope, f"reverse the sign of {which}: {rule_of(word)}")

"""Stresses against the energies they are derivatives of: order, signs, unit and kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from mtt.scanning.labels.stress_orders import CHOICE, READINGS, Decision, decide
from mtt.scanning.labels.stress_words import (
    KIND,
    answer_of,
    contradictory,
    not_compared,
    undecided,
    wrong_kind,
)
from mtt.scanning.tools.by_group import Answer, Question, ask
from mtt.scanning.tools.finding import Finding
from mtt.scanning.tools.groups import Partition
from mtt.scanning.tools.regression import FEWEST
from mtt.scanning.tools.steps import VOIGT, Steps
from mtt.scanning.tools.structures import Float, Structures
from mtt.scanning.tools.unit_readings import same

CHECK = "stress against energies"
_STRAINS = (0.01, 0.02, 0.04, 0.07, 0.1)  # steps with components up to these are looked at
_LONGEST = 0.3  # Å, of displacements that the cell does not follow
_SHARE = 0.03  # of steps that are far off, from which on they are looked at by themselves
_AGREES = 0.8  # R² of the few steps of a group by what the whole file says
_FEW = 5  # steps that such a group needs
_WORSE = (1.3, 1.05)  # times the squares that other readings of shear, or of normals, leave over
_MOOT = 0.03  # of the components: readings that differ by less are the same


def check_stress(
    structures: Structures, along: dict[str, Steps], partitions: Sequence[Partition] = ()
) -> Iterator[Finding]:
    """How energies change with the cell, against what stresses say: file by file, and by group."""
    for name, info in structures.energies.items():
        if not info.has_strain:
            continue
        strain = structures.strain(name)
        labelled = np.asarray(np.isfinite(strain).all(axis=(1, 2)))
        found = along[name]
        usable = np.isfinite(found.by_stress) & (found.strained > 1e-6)
        usable &= (found.moved < _LONGEST * structures.angstrom) & (found.strained < _STRAINS[-1])
        judge = partial(_judge, name, info.strain_name, structures.volumes)
        agrees = partial(_agrees, strain[:, *VOIGT])
        alone = not_compared(name, info.strain_name)
        question = Question(CHECK, usable, labelled, judge, agrees, alone)
        yield from ask(structures, found, question, partitions)


def _judge(name: str, word: str, volumes: Float, found: Steps) -> Answer:
    decision, others = _decide(found, found.by_part)
    if decision is None or not _is_right(decision):
        volume = volumes[found.first][:, None, None]
        scaled = found.by_part * (volume if word == "virial" else 1.0 / volume)
        other, _ = _decide(found, scaled)
        if other is not None and other.is_sure and same(abs(other.both.slope), 1.0, KIND):
            return wrong_kind(name, word, other)
    if decision is None or not decision.is_sure:
        return undecided(name, word, decision)
    different = [one for one in others if one.signed != decision.signed]
    if different:
        return contradictory(name, word, decision, different[0])
    return answer_of(name, word, decision)


def _decide(found: Steps, by_part: Float) -> tuple[Decision | None, list[Decision]]:
    """The decision with the fewest open components, and all without any.

    Short steps are the most precise, long ones are more.
    """
    decisions = []
    for strain in _STRAINS:
        near = found.strained < strain
        one = decide(found.chosen(near), by_part[near])
        if one is not None:
            decisions.append(one)
            off = np.flatnonzero(near)[one.left_out]
            if one.is_sure and len(off) >= max(FEWEST, _SHARE * near.sum()):
                minority = decide(found.chosen(off), by_part[off])
                decisions += [] if minority is None else [minority._replace(is_minority=True)]
    sure = [one for one in decisions if one.is_sure and not one.open]
    main = [one for one in decisions if not one.is_minority]
    best = min(main, key=lambda one: (one.n_open, -one.explained.weight), default=None)
    return best, sure


def _is_right(decision: Decision) -> bool:
    return decision.is_sure and same(abs(decision.both.slope), 1.0)


def _agrees(labels: Float, found: Steps, law: Decision | None) -> bool:
    """Whether the few steps of a group change energies as the whole file does, read like that.

    Other readings have to be worse, or to be the same for the labels of this group.

    :param labels: [n, 6] of all structures.
    """
    if len(found.first) < _FEW or law is None:
        return False
    forces, change = np.nan_to_num(found.by_forces)[:, None], found.change[:, None]
    columns = np.concatenate([forces, found.by_part.reshape(-1, 36), change], axis=1)
    gram = columns.T @ columns
    own = READINGS.index(law.reading)
    left = _squares(gram, law.weights)  # [readings]
    reversed_ = _squares(gram, law.weights * np.array([1.0, 1.0, -1.0]))
    if left[own] > (1 - _AGREES) * float(gram[-1, -1]):
        return False
    here = labels[np.unique(np.concatenate([found.first, found.second]))]
    moot = _MOOT**2 * float((here**2).mean())
    ours = law.reading.read(here, 1.0)
    for k, reading in enumerate(READINGS):
        for sign, squares in ((1.0, left[k]), (-1.0, reversed_[k])):
            same_shear = sign > 0 and reading.shear == law.reading.shear
            if squares >= _WORSE[same_shear] * left[own]:
                continue
            if float(((reading.read(here, sign) - ours) ** 2).mean()) > moot:
                return False
    return True


def _squares(gram: Float, weights: Float) -> Float:
    """[readings] sums of squares that a law leaves over, each read differently.

    :param gram: of the work of forces, the products of components, and the change.
    :param weights: [3] of the work of forces, normal and shear components.
    """
    factors = np.concatenate(
        [
            np.full((len(READINGS), 1), weights[0]),
            CHOICE @ weights[1:],
            np.full((len(READINGS), 1), -1.0),
        ],
        axis=1,
    )
    squares: Float = np.einsum("hi,ij,hj->h", factors, gram, factors, optimize=True)
    return squares

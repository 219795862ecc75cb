"""One structure in several states: of charge, of spin, or of another key of the file.

The positions of two states are the same and their energies are not, so that a model that sees
positions alone can only learn their mean. The key belongs to the input; it is not a label. Charges
and spins that are read as ``extra_data`` are inputs: models that take them learn each state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mtt.scanning.duplicates import differing
from mtt.scanning.tools.finding import Finding, Severity, count
from mtt.scanning.tools.groups import MOMENT, InfoKeys, Partition
from mtt.scanning.tools.structures import Index, Structures

CHECK = "states of one structure"
_STATE = re.compile(
    r"(^|_)(charge|spin|multiplicity|mult|magmom|magnetization|magnetisation|nelect|uhf|"
    r"unpaired|electrons|state|states|q)s?($|_)"
)
_CHARGE = re.compile(r"(^|_)(charge|nelect|electrons|q)($|_)")
_SEPARATES = 0.9  # of the copies with other labels, that have another value too
_SHARED = 0.1  # at most of the copies with the same labels; of keys that name no state
_OFTEN = 4  # structures of each value, of keys that name no state
_NAMED = 4  # values in a sentence


class States(NamedTuple):
    """A key that distinguishes structures whose positions are the same."""

    partition: Partition
    copies: Index  # structures that are the same as an earlier one, in another state


def is_state(name: str) -> bool:
    """Whether a key of structures names a charge, a spin or another state of the electrons."""
    return bool(_STATE.search(name.lower())) or name == MOMENT


def find_states(structures: Structures, original: Index, keys: InfoKeys) -> States | None:
    """The key whose values differ wherever labels of one structure do, if there is one.

    :param original: [n] the first structure that each is the same as.
    """
    copies = np.flatnonzero(original != np.arange(len(structures)))
    other = differing(structures, original)[copies]
    found = []
    for one in keys.states():
        apart = one.of[copies] != one.of[original[copies]]
        if not other.any() or apart[other].mean() < _SEPARATES:
            continue
        if is_state(one.name) or (
            len(one.values) * _OFTEN <= (one.of >= 0).sum()
            and (other.all() or apart[~other].mean() < _SHARED)
        ):
            found.append(States(one, copies[apart]))
    return min(found, key=_rank, default=None)


def _rank(found: States) -> tuple[bool, int]:
    return not is_state(found.partition.name), len(found.partition.values)


def check_states(
    structures: Structures, original: Index, states: States | None, keys: InfoKeys
) -> Iterator[Finding]:
    """Structures in several states, and states that the elements do not determine."""
    if states is not None and not _is_input(structures, states.partition.name):
        yield _shared(structures, original, states)
    for one in keys.states():
        if _is_input(structures, one.name):
            continue
        if states is not None and one.name == states.partition.name:
            continue
        if is_state(one.name) and one.name != MOMENT and not one.is_text:
            yield from _unseen(structures, one)


def _is_input(structures: Structures, name: str) -> bool:
    """Whether a key is read as the input of a model: a charge, a spin, or a number of that name."""
    if name in structures.info.extra_data:
        return True
    as_charge = bool(_CHARGE.search(name.lower()))
    return is_state(name) and ("charge" if as_charge else "spin_multiplicity") in (
        structures.info.extra_data
    )


def _shared(structures: Structures, original: Index, states: States) -> Finding:
    one, copies = states
    both = np.union1d(copies, original[copies])
    name = one.name
    values = [one.called(v) for v in np.unique(one.of[both]).tolist()]
    n = len(np.unique(original[copies]))
    kind = "states" if is_state(name) else "versions"
    what = (
        f"{count(n, 'structures')} {'is' if n == 1 else 'are'} in the data in several {kind}, "
        f"{name} = {_listed(values)}, with other labels in each; a model that is not given "
        f"{name} can only learn the mean"
    )
    energies = list(structures.energies)
    number, unit = None, ""
    if energies:
        energy = structures.energy(energies[0])
        apart = np.abs(energy[copies] - energy[original[copies]])
        if np.isfinite(apart).any():
            number, unit = float(np.nanmax(apart)), structures.info.targets[energies[0]].unit
    target = energies[0] if energies else "energy"
    places, advice = structures.places(both), _advice(name, target, one.is_text)
    return Finding(CHECK, "wrong", what, places, number, unit, advice)


def _advice(name: str, target: str, is_text: bool = False) -> str:
    base = target.split("/")[0]
    split = (
        "train on one of them (a file of its frames), one model for each, or one target for each: "
        f"a list in training_set, of a file with the target {target} and another file with the "
        f"target {base}/NAME (with quantity: energy)"
    )
    if not is_state(name):
        if is_text:
            return f"{name} distinguishes them, and text is not an input of any model: {split}"
        return (
            f"{name} distinguishes them. Make it an input where the architecture takes numbers: "
            f"extra_data: {{{name}: {{key: {name}}}}} and architecture.model.inputs: [{name}]; "
            f"otherwise {split}"
        )
    quantity = "charge" if _CHARGE.search(name.lower()) else "spin_multiplicity"
    return (
        f"{name} belongs to the input, not to the targets. If the architecture takes charge and "
        f"spin, read it with extra_data: {{{quantity}: {{key: {name}}}}} and write "
        f"architecture.model.inputs: [{quantity}]; otherwise {split}"
    )


def _unseen(structures: Structures, one: Partition) -> Iterator[Finding]:
    """Several values among structures of the same elements."""
    known = one.of >= 0
    mixed = np.zeros(len(structures), dtype=bool)
    pairs = np.unique(np.stack([structures.composition, one.of], axis=1)[known], axis=0)
    kinds, times = np.unique(pairs[:, 0], return_counts=True)
    mixed = known & np.isin(structures.composition, kinds[times > 1])
    if not mixed.any():
        return
    values, numbers = np.unique(one.of[mixed], return_counts=True)
    both = zip(values.tolist(), numbers.tolist(), strict=True)
    listed = _listed([f"{one.called(value)} ({count(n, 'structures')})" for value, n in both])
    what = (
        f"structures of the same composition have {one.name} = {listed}; a model that is "
        "not given it can only learn the mean"
    )
    severity: Severity = "suspicious" if _CHARGE.search(one.name.lower()) else "note"
    target = next(iter(structures.energies), "energy")
    advice = _advice(one.name, target)
    yield Finding(CHECK, severity, what, structures.places(mixed), len(values), "values", advice)


def _listed(words: list[str]) -> str:
    shown = words[:_NAMED] + ([f"{len(words) - _NAMED} more"] if len(words) > _NAMED else [])
    return ", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 else shown[0]


def originals_by_state(states: States | None, original: Index) -> Index:
    """[n] the first structure that each is the same as, in the same state."""
    if states is None:
        return original
    keys = np.stack([original, states.partition.of], axis=1)
    _, first, of = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return np.asarray(first[of.reshape(-1)])

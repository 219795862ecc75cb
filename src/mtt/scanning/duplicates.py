"""The same structure more than once: inside a set, across sets, and with other labels.

Structures are the same if they differ by a translation, by whole cell vectors and by the order
of atoms of an element. Candidates share a fingerprint that none of these changes; then
positions are compared.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mtt.scanning.tools.finding import Finding, count
from mtt.scanning.tools.sameness import originals
from mtt.scanning.tools.structures import Float, Index, Mask, Structures

CHECK = "duplicates"
LEAKS = "leaks between sets"
_ENERGY = 2e-4  # eV per atom: energies of one structure that differ by more
_FORCE = 0.05  # eV/Å: forces that differ by more


def check_duplicates(
    structures: Structures, original: Index, in_state: Index | None = None
) -> Iterator[Finding]:
    """What :func:`mtt.scanning.tools.sameness.originals` found, by set and by label.

    :param in_state: [n] the first structure in the same state (charge, spin), if states
        differ; that they do is reported elsewhere.
    """
    several = structures.n_atoms > 1
    yield from _leaks(structures, original, several)
    original = original if in_state is None else in_state
    yield from _within(structures, original, several)
    yield from _other_labels(structures, original)


def differing(structures: Structures, original: Index) -> Mask:
    """[n] structures whose energy or forces differ from those of their original."""
    found = np.zeros(len(structures), dtype=bool)
    copies = np.flatnonzero(original != np.arange(len(structures)))
    for name in structures.energies:
        found[copies] |= _other_energy(structures, name, copies, original[copies])
        rest, apart = _apart(structures, name, copies[~found[copies]], original)
        found[rest] |= apart > _FORCE * structures.electronvolt(name) / structures.angstrom
    return found


def _other_energy(structures: Structures, name: str, one: Index, other: Index) -> Mask:
    energy = structures.energy(name)
    least = _ENERGY * structures.electronvolt(name) * structures.n_atoms[one]
    return np.asarray(np.abs(energy[one] - energy[other]) > least)


def _apart(
    structures: Structures, name: str, copies: Index, original: Index
) -> tuple[Index, Float]:
    """Copies with atoms in the same order, and deviations of forces from the original's."""
    if not structures.info.targets[name].has_forces:
        return copies[:0], np.empty(0)
    rest = copies[structures.order[copies] == structures.order[original[copies]]]
    return rest, _between_forces(structures, name, np.stack([rest, original[rest]], axis=1))


def _leaks(structures: Structures, original: Index, several: Mask) -> Iterator[Finding]:
    """Structures of one set that occur in an earlier one, first of all the training set."""
    names = structures.names
    for later in range(1, len(names)):
        for earlier in range(later):
            there = np.isin(original, original[(structures.part == earlier)])
            found = several & (structures.part == later) & there
            if not found.any():
                continue
            share = found.sum() / (structures.part == later).sum()
            what = f"{_occur(found.sum(), names[later])} in {names[earlier]} too"
            trained = names[earlier] == "training"
            others = several & (structures.part == earlier)
            others &= np.isin(original, original[found])
            yield Finding(
                LEAKS,
                "wrong" if trained else "suspicious",
                what,
                structures.places(found) + structures.places(others),
                100.0 * float(share),
                f"% of {names[later]}",
                f"errors of {names[later]} come out too small: remove them from one of the sets",
            )


def _within(structures: Structures, original: Index, several: Mask) -> Iterator[Finding]:
    for part, name in enumerate(structures.names):
        mine = np.flatnonzero(several & (structures.part == part))
        mine = mine[np.lexsort((structures.frame[mine], structures.file[mine]))]
        _, first = np.unique(original[mine], return_index=True)
        again = np.delete(mine, first)
        if len(again):
            places = structures.places(again)
            share = 100.0 * len(again) / len(mine)
            what = f"{_occur(len(again), name)} earlier in it"
            advice = "remove them, unless they are to weigh more than others"
            yield Finding(CHECK, "suspicious", what, places, share, f"% of {name}", advice)


def _occur(n: int, name: str) -> str:
    return f"{count(n, 'structures')} of {name} {'occurs' if n == 1 else 'occur'}"


def _other_labels(structures: Structures, original: Index) -> Iterator[Finding]:
    copies = np.flatnonzero(original != np.arange(len(structures)))
    if not len(copies):
        return
    advice = "which of them is right? Remove the others: a model can only learn their mean"
    for name in structures.energies:
        ev = structures.electronvolt(name)
        energy = structures.energy(name)
        apart = np.abs(energy[copies] - energy[original[copies]])
        differ = _other_energy(structures, name, copies, original[copies])
        unit = structures.info.targets[name].unit
        if differ.any():
            what = f"{name} of the same structure differs"
            both = np.concatenate([copies[differ], original[copies[differ]]])
            places, most = structures.places(both), float(apart[differ].max())
            yield Finding(CHECK, "wrong", what, places, most, unit, advice)
        rest, apart = _apart(structures, name, copies[~differ], original)
        differ = apart > _FORCE * ev / structures.angstrom
        if differ.any():
            what = f"forces of {name} on the same structure differ"
            both = np.concatenate([rest[differ], original[rest[differ]]])
            places, most = structures.places(both), float(apart[differ].max())
            yield Finding(CHECK, "wrong", what, places, most, "", advice)


def _between_forces(structures: Structures, name: str, pairs: Index) -> Float:
    """[m] norm of the largest difference; 0 where forces are missing."""
    column = f"forces:{name}"
    apart = [np.empty(0)]
    one, two = (structures.blocks((column,), pairs[:, k]) for k in (0, 1))
    for a, b in zip(one, two, strict=True):
        difference = np.linalg.norm(a.columns[column] - b.columns[column], axis=1)
        apart.append(a.largest(np.nan_to_num(difference)))
    return np.concatenate(apart)


def copies_of_others(structures: Structures) -> tuple[Index, Mask]:
    """[n] the first structure that each is the same as, and whether that is another one."""
    original = originals(structures)
    return original, original != np.arange(len(structures))

"""Elements: those that the data separate, those in one part only, and rare ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase.data import chemical_symbols

from mtt.scanning.tools.finding import Finding, count
from mtt.scanning.tools.structures import Structures

CHECK = "elements"
_RARE = 3  # structures that hold an element


def check_elements(structures: Structures) -> Iterator[Finding]:
    """Baselines that the compositions of the training set do not determine."""
    if "training" not in structures.names:
        return
    training = structures.part == structures.names.index("training")
    yield from _unseen(structures, training)
    counts = structures.counts[training]
    yield from _rare(structures, training)
    apart = undetermined(counts)
    if apart.any():
        symbols = _symbols(structures, apart)
        used = int((counts > 0).any(axis=0).sum())
        rank = int(np.linalg.matrix_rank(np.unique(counts, axis=0)))
        yield Finding(
            CHECK,
            "note",
            f"compositions do not determine the baselines of {symbols} one by one "
            f"(rank {rank} of {used}): only the sum that these compositions need is learned",
            structures.whole(training),
            rank,
            "",
            f"for other compositions, or for single atoms, add structures with other "
            f"amounts of {symbols}, or give atomic_baseline",
        )


def _unseen(structures: Structures, training: np.ndarray) -> Iterator[Finding]:
    """Elements of the other parts that the training set lacks."""
    seen = structures.counts[training].any(axis=0)
    for k in np.flatnonzero(~seen):
        holders = structures.counts[:, k] > 0
        if holders.any():
            what = f"{chemical_symbols[structures.types[k]]} is in no structure of training"
            advice = "a model learns nothing about elements that it never sees"
            places = structures.places(holders)
            yield Finding(CHECK, "wrong", what, places, int(holders.sum()), "structures", advice)


def _rare(structures: Structures, training: np.ndarray) -> Iterator[Finding]:
    holds = (structures.counts > 0) & training[:, None]
    n = holds.sum(axis=0)
    if training.sum() < 10 * _RARE:
        return  # all are few
    for k in np.flatnonzero((n > 0) & (n < _RARE)):
        symbol = chemical_symbols[structures.types[k]]
        what = f"{symbol} is in {count(n[k], 'structures')} of training only"
        advice = f"add structures with {symbol}, or leave these out"
        places = structures.places(holds[:, k])
        yield Finding(CHECK, "suspicious", what, places, int(n[k]), "structures", advice)


def undetermined(counts: np.ndarray) -> np.ndarray:
    """[n_types] elements whose baselines least squares cannot separate from others."""
    used = np.asarray(counts.any(axis=0))
    rows = np.unique(counts[:, used], axis=0)
    _, sizes, axes = np.linalg.svd(rows, full_matrices=True)
    rank = int((sizes > sizes.max() * 1e-10).sum()) if len(sizes) else 0
    found = np.zeros(len(used), dtype=bool)
    found[used] = (np.abs(axes[rank:]) > 1e-8).any(axis=0)
    return found


def _symbols(structures: Structures, which: np.ndarray) -> str:
    names: list[str] = [chemical_symbols[z] for z in structures.types[which]]
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]

"""Held-out structures whose similar neighbours in the same file are trained on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mtt.scanning.tools.finding import Finding
from mtt.scanning.tools.steps import along_files, moved
from mtt.scanning.tools.structures import Index, Mask, Structures

CHECK = "frames in time"
_CLOSE = 0.5  # of the distance between any two: neighbours in time are closer than that
_FEWEST = 10  # held-out structures that a statement needs


def check_splits(structures: Structures, copies: Mask) -> Iterator[Finding]:
    """Held-out frames close to the next frames of training, compared with any of training.

    :param copies: copies of earlier structures, which are reported elsewhere.
    """
    if "training" not in structures.names:
        return
    training = structures.part == structures.names.index("training")
    pairs = along_files(structures, 1)
    pairs = np.concatenate([pairs, pairs[:, ::-1]])  # held out, then trained on
    pairs = pairs[~training[pairs[:, 0]] & training[pairs[:, 1]] & ~copies[pairs[:, 0]]]
    for part, name in enumerate(structures.names):
        mine = pairs[structures.part[pairs[:, 0]] == part]
        if len(mine) < _FEWEST:
            continue
        near = float(np.median(moved(structures, mine)))
        far = float(np.median(moved(structures, _any_partner(structures, mine))))
        if near < _CLOSE * far:
            what = (
                f"structures of {name} are close to neighbouring training structures in their file "
                f"(root mean square per atom; {far:.2g} to any of training)"
            )
            advice = f"errors of {name} speak for this trajectory alone; hold out its end"
            unit = structures.info.length_unit
            places = structures.whole(np.unique(mine[:, 0]))
            yield Finding(CHECK, "note", what, places, near, unit, advice)


def _any_partner(structures: Structures, pairs: Index) -> Index:
    """The same held-out structures, each with some structure of training of the same atoms."""
    generator = np.random.default_rng(0)
    found = pairs.copy()
    kinds = structures.order[pairs[:, 1]]
    for kind in np.unique(kinds):
        mine = np.flatnonzero(kinds == kind)
        found[mine, 1] = generator.choice(pairs[mine, 1], len(mine))
    return found

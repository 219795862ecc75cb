"""A few structures of the data that a model is probed with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtt.data import Dataset
from mtt.report.collect import ORDER

_LOOKED_AT = 200  # structures of a part
_LARGEST = 200  # atoms


def examples_of(parts: Mapping[str, Sequence[Dataset]]) -> list[dict[str, Any]]:
    """A small structure, and one that is periodic in all directions where there is one.

    Plain values, in the unit of length of the data.
    """
    found: dict[bool, dict[str, Any]] = {}
    for name in sorted(parts, key=lambda one: ORDER.index(one) if one in ORDER else len(ORDER)):
        for dataset in parts[name]:
            n_atoms = dataset.n_atoms[:_LOOKED_AT].numpy()
            for i in np.argsort(n_atoms, kind="stable").tolist():
                if len(found) == 2 or n_atoms[i] > _LARGEST:
                    break
                if n_atoms[i] < 2:
                    continue
                atoms = dataset.atoms(i)
                found.setdefault(
                    bool(atoms.pbc.all()),
                    {
                        "numbers": atoms.numbers.tolist(),
                        "positions": atoms.positions.tolist(),
                        "cell": np.asarray(atoms.cell).tolist(),
                        "pbc": atoms.pbc.tolist(),
                    },
                )
    return list(found.values())

"""Energies of single atoms in files beside the structures: baselines that can be chosen."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from mtt.data.labels.keys import numbers_in
from mtt.drafting.content import Content
from mtt.drafting.labels import Chosen


def free_atoms(content: Content, labels: Chosen) -> dict[str, float]:
    """Symbol to the energy of the free atom, in the unit of the files.

    Empty unless each element of the structures has exactly one, under the key of the energy.
    """
    found: dict[str, set[float]] = {}
    for frame in content.atoms:
        value = frame.per_structure.get(labels.energy)
        if len(frame.numbers) == 1 and value is not None:
            symbol = chemical_symbols[int(frame.numbers[0])]
            found.setdefault(symbol, set()).add(float(numbers_in(value).reshape(-1)[0]))
    if any(len(found.get(symbol, ())) != 1 for symbol in content.elements):
        return {}
    return {symbol: next(iter(found[symbol])) for symbol in content.elements}


def remarks_on_atoms(content: Content, labels: Chosen) -> list[str]:
    """Files of single atoms that are left out, and single atoms that lack the forces of others."""
    names = sorted({frame.file for frame in content.atoms})
    found = [f"{name} holds single atoms only, and is left out of the training" for name in names]
    keys = [key for key in content.keys if key.per_atom and "force" in key.name.lower()]
    for key in keys if not labels.forces else ():
        lacking = np.delete(np.arange(len(content.frames)), key.frames)
        if len(lacking) and (content.n_atoms[lacking] < 2).all():
            found.append(
                f"only single atoms have no {key.name!r}: move them to another file and name both "
                "files, to learn from the forces of all others"
            )
    return found

"""Labels of atoms among those of structures: forces in ASE's ``atoms.info``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtt.data.files.raw_frame import RawFrame
from mtt.data.frames import Float
from mtt.data.labels.keys import numbers_in

_BALANCED = 1e-3  # net force by the size of forces: those of an isolated system add up to zero


def of_atoms(frames: Sequence[RawFrame], key: str, width: int) -> list[Any] | None:
    """[n_atoms, width] of every frame from the values of ``key`` per structure.

    Nested lists go by atoms. So do flat ones (all numbers of the first atom first), which is how
    ``forces.flatten()`` writes them. Nine numbers of three atoms are in doubt: ASE writes a 3 × 3
    array of ``atoms.info`` column by column. Forces add up to zero in one order alone.

    :return: None in place of a frame that has no such key; None where a frame has another number
        of values than fits its atoms, or where the order is in doubt.
    """
    found: list[Any] = []
    for frame in frames:
        value = frame.per_structure.get(key)
        if value is None:
            found.append(None)
            continue
        try:
            array = numbers_in(value)
        except (ValueError, TypeError):
            return None
        n = len(frame.numbers)
        if array.size != n * width or (array.ndim > 1 and array.shape != (n, width)):
            return None
        found.append(array)
    flat = [one for one in found if one is not None and one.ndim < 2 and one.shape == (9,)]
    if width == 3 and flat:
        turned = _are_by_component(flat)
        if turned is None:
            return None
        found = [
            one.reshape(3, 3).T if turned and one is not None and one.shape == (9,) else one
            for one in found
        ]
    return [
        None if one is None else one.reshape(-1, width) if width > 1 else one.reshape(-1)
        for one in found
    ]


def storing(frame: RawFrame, key: str, per_atom: bool) -> str:
    """Hint on how to store a derivative that is in the wrong place."""
    if not per_atom:
        return f"{key!r} exists per atom; it belongs to structures: atoms.info[{key!r}]"
    try:
        count = f"{numbers_in(frame.per_structure[key]).size} numbers"
    except (ValueError, TypeError):
        count = "text"
    n = len(frame.numbers)
    return (
        f"{key!r} exists per structure, with {count} for {n} atoms in frame {frame.number}; store "
        f"it per atom, {n} × 3, as a column of Properties: atoms.arrays[{key!r}] = ..."
    )


def _are_by_component(flat: Sequence[Float]) -> bool | None:
    """Whether nine numbers hold all x, then all y, then all z; None where this is in doubt."""
    forces = np.nan_to_num(np.stack(flat).reshape(-1, 3, 3))
    size = float(np.sqrt((forces**2).sum()))
    by_atom, by_component = (
        float(np.sqrt((forces.sum(axis=axis) ** 2).sum())) <= _BALANCED * size for axis in (1, 2)
    )
    return None if by_atom == by_component else by_component

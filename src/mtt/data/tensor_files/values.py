"""Values of structures and atoms from the blocks of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from ase.data import chemical_symbols
from numpy.typing import NDArray

from mtt.data.files.raw_frame import RawFrame
from mtt.data.findings import Findings
from mtt.data.frames import Float
from mtt.data.info import TargetInfo
from mtt.data.tensor_files.read import Rows

_CORRECT = "correct the file: it has to match these structures in this order"


def values_of(
    rows: Sequence[Rows],
    info: TargetInfo,
    systems: Sequence[RawFrame],
    place: Mapping[int, int],
    findings: Findings,
) -> tuple[list[Float], int]:
    """[1 or n_atoms, *shape] of every structure, NaN where the file has none.

    An atom that lacks one number of its element has no label; the second result counts those that
    have others.

    :param place: number of a structure in the file to its place in ``systems``; others are left
        out.
    """
    n_atoms = np.array([len(one.numbers) if info.per_atom else 1 for one in systems])
    first = np.cumsum(n_atoms) - n_atoms
    total = int(n_atoms.sum())
    parts = []
    for block in info.of_kind.blocks:
        size = block.size * info.properties
        filled = np.full((total, size), np.nan)
        for one in rows:
            if one.block == block:
                kept, owner = placed(one.samples[:, 0], place)
                where = first[owner]
                if info.per_atom:
                    atoms = one.samples[kept, 1]
                    good = _are_atoms(atoms, owner, systems, findings)
                    good &= _are_of(block.element, atoms, owner, good, systems, findings)
                    kept, where = kept[good], (where + atoms)[good]
                filled[where] = one.values[kept]
        parts.append(torch.from_numpy(filled))
    values = info.of_kind.joined(parts).numpy()
    found = [values[i : i + n] for i, n in zip(first, n_atoms, strict=True)]
    if findings:
        return found, 0
    incomplete = 0
    for i, (read, frame) in enumerate(zip(found, systems, strict=True)):
        found[i] = _checked(read, info, frame, findings)
        if info.of_kind.elements:
            incomplete += _n_labelled(read) - _n_labelled(found[i])
    return found, incomplete


def _n_labelled(values: Float) -> int:
    """Atoms with a number."""
    return int(np.isfinite(values).any(axis=(1, 2)).sum())


def placed(
    numbers: NDArray[np.int64], place: Mapping[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the structures that are used, and the place of each of them."""
    owner = np.array([place.get(int(number), -1) for number in numbers], dtype=np.int64)
    kept = np.flatnonzero(owner >= 0)
    return kept, owner[kept]


def _are_atoms(
    atoms: NDArray[np.int64],
    owner: NDArray[np.int64],
    systems: Sequence[RawFrame],
    findings: Findings,
) -> NDArray[np.bool_]:
    sizes = np.array([len(one.numbers) for one in systems])[owner]
    good: NDArray[np.bool_] = (atoms >= 0) & (atoms < sizes)
    for row in np.flatnonzero(~good):
        frame = systems[owner[row]]
        detail = f" {atoms[row]}, of {len(frame.numbers)} atoms"
        findings.add(frame, "the .mts file names an atom", detail, _CORRECT)
    return good


def _are_of(
    element: int,
    atoms: NDArray[np.int64],
    owner: NDArray[np.int64],
    known: NDArray[np.bool_],
    systems: Sequence[RawFrame],
    findings: Findings,
) -> NDArray[np.bool_]:
    """Whether atoms are of the element of their block; all are where it has none."""
    good = np.ones(len(atoms), dtype=bool)
    for row in np.flatnonzero(known) if element else ():
        found = int(systems[owner[row]].numbers[atoms[row]])
        good[row] = found == element
        if found != element:
            what = f"the .mts file has a block of {chemical_symbols[element]}"
            detail = f" for atom {atoms[row]}, which is {chemical_symbols[found]}"
            findings.add(systems[owner[row]], what, detail, _CORRECT)
    return good


def _checked(values: Float, info: TargetInfo, frame: RawFrame, findings: Findings) -> Float:
    """``values`` of one structure as the kind takes them; a part that is missing is all of it."""
    kind = info.of_kind
    if np.isinf(values).any():
        findings.add(frame, "infinite values in the .mts file", hint="write nan for no label")
        return values
    if kind.elements:
        own = kind.own(frame.numbers)[:, :, None]
        whole = ~(np.isnan(values) & own).any(axis=(1, 2), keepdims=True)
        return np.where(own & whole, values, np.nan)
    try:
        return kind.read(values, len(values), info.properties)
    except ValueError as error:
        findings.add(frame, "wrong values in the .mts file", f": {error}")
        return values

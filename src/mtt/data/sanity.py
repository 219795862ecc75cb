"""Structures that no model can be trained on, found before training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from mtt.data.files.raw_frame import RawFrame
from mtt.data.findings import Findings
from mtt.data.frames import Float
from mtt.data.geometry.extents import beyond, complete_cells, measure

CLOSEST = 1e-3  # closer atoms are the same atom twice, whatever the length unit
_FLATTEST = 1e-6  # volume over product of the vectors' lengths
_CHUNK = 100_000  # atoms looked at together
_DIRECTION = np.array([0.5390, 0.6180, 0.5723])  # not normal to any lattice plane


class Coincidence(NamedTuple):
    """Two atoms (or one and its periodic image) at the same place."""

    frame: int  # position in the list given
    first: int
    second: int
    distance: float


def check_structures(frames: Sequence[RawFrame], findings: Findings) -> None:
    """Add everything that is wrong with the structures (not their labels) to ``findings``."""
    sane = [frame for frame in frames if _is_sane(frame, findings)]
    named = set()
    for pair in coincident_atoms(sane):
        what = f"atoms {pair.first} and {pair.second} are {pair.distance:.2g} apart"
        if pair.first == pair.second:
            what = f"atom {pair.first} is {pair.distance:.2g} from its own periodic image"
        hint = "remove one of them, or correct the cell"
        findings.add(sane[pair.frame], "atoms at the same place", f": {what}", hint)
        named.add(pair.frame)
    _check_bounds([frame for i, frame in enumerate(sane) if i not in named], findings)


def _is_sane(frame: RawFrame, findings: Findings) -> bool:
    if len(frame.numbers) == 0:
        findings.add(frame, "no atoms")
        return False
    unknown = (frame.numbers < 1) | (frame.numbers >= len(chemical_symbols))
    if unknown.any():
        atom = int(np.argmax(unknown))
        detail = f": atomic number {frame.numbers[atom]} (atom {atom})"
        findings.add(frame, "unknown element", detail, "dummy atoms ('X') cannot be trained on")
    bad = ~np.isfinite(frame.positions).all(axis=1)
    if bad.any():
        detail = f": {frame.positions[np.argmax(bad)].tolist()} (atom {np.argmax(bad)})"
        findings.add(frame, "positions are not finite", detail)
        return False
    return _has_sane_cell(frame, findings)


def _has_sane_cell(frame: RawFrame, findings: Findings) -> bool:
    if not np.isfinite(frame.cell).all():
        findings.add(frame, "the cell is not finite")
        return False
    periodic = frame.cell[frame.pbc]
    lengths = np.linalg.norm(periodic, axis=1)
    if (lengths == 0.0).any():
        hint = "give the cell (Lattice), or set pbc to F"
        findings.add(frame, "periodic (pbc), but a cell vector is zero", hint=hint)
        return False
    # volume, area or length spanned by the periodic vectors, from their Gram matrix
    spanned = np.sqrt(max(np.linalg.det(periodic @ periodic.T), 0.0)) if len(periodic) else 1.0
    if len(periodic) and spanned < _FLATTEST * lengths.prod():
        findings.add(frame, "the periodic cell vectors are linearly dependent")
        return False
    return True


def _check_bounds(frames: Sequence[RawFrame], findings: Findings) -> None:
    """Add what is too wide, flat or far away to have a neighbour list."""
    for some in _chunks(frames):
        extents = measure(
            np.concatenate([frame.positions for frame in some]),
            np.array([len(frame.numbers) for frame in some]),
            np.array([frame.cell for frame in some]),
            np.array([frame.pbc for frame in some]),
        )
        for fault in beyond(extents):
            findings.add(some[fault.structure], fault.what, fault.detail, fault.hint)


def _chunks(frames: Sequence[RawFrame]) -> Iterator[Sequence[RawFrame]]:
    start, atoms = 0, 0
    for stop, frame in enumerate(frames, start=1):
        atoms += len(frame.numbers)
        if atoms >= _CHUNK or stop == len(frames):
            yield frames[start:stop]
            start, atoms = stop, 0


def coincident_atoms(frames: Sequence[RawFrame]) -> Iterator[Coincidence]:
    """The closest pair of each frame that has one closer than :data:`CLOSEST`.

    Periodic images count. Structures must have atoms, finite positions and sane cells. Works
    on many structures at once: atoms are sorted along one direction, so that candidates are
    next to one another.
    """
    start = 0
    for some in _chunks(frames):
        for pair in _closest(some):
            yield pair._replace(frame=pair.frame + start)
        start += len(some)


def _closest(frames: Sequence[RawFrame]) -> list[Coincidence]:
    points, owner, atom = _with_images(frames)
    order = np.lexsort((points @ _DIRECTION, owner))
    points, owner, atom = points[order], owner[order], atom[order]
    along = points @ _DIRECTION
    found: dict[int, Coincidence] = {}
    candidates = np.arange(len(points))
    shift = 0
    while True:
        shift += 1
        candidates = candidates[candidates + shift < len(points)]
        other = candidates + shift
        # |direction| = 1, so that a distance is never less than its projection
        near = (owner[other] == owner[candidates]) & (along[other] - along[candidates] < CLOSEST)
        candidates = candidates[near]
        if not len(candidates):
            return [found[frame] for frame in sorted(found)]
        distances = np.linalg.norm(points[candidates + shift] - points[candidates], axis=1)
        for here in np.flatnonzero(distances < CLOSEST):
            one, two = candidates[here], candidates[here] + shift
            pair = sorted((int(atom[one]), int(atom[two])))
            new = Coincidence(int(owner[one]), pair[0], pair[1], float(distances[here]))
            if new.frame not in found or new.distance < found[new.frame].distance:
                found[new.frame] = new


def _with_images(
    frames: Sequence[RawFrame],
) -> tuple[Float, NDArray[np.int64], NDArray[np.int64]]:
    """Points (in the cell where periodic, with images of those near its lower faces)."""
    counts = np.array([len(frame.numbers) for frame in frames])
    owner = np.repeat(np.arange(len(frames)), counts)
    atom = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    points = np.concatenate([frame.positions for frame in frames])
    pbc = np.array([frame.pbc for frame in frames])
    if not pbc.any():
        return points, owner, atom
    cells = complete_cells(np.array([frame.cell for frame in frames]), pbc)
    inverse = np.linalg.inv(cells)
    # an image within CLOSEST of a face is within this much of it in fractional coordinates
    margins = CLOSEST * np.linalg.norm(inverse, axis=1)
    fractional = np.einsum("ni,nij->nj", points, inverse[owner])
    fractional -= np.where(pbc[owner], np.floor(fractional), 0.0)
    for axis in range(3):
        near = pbc[owner, axis] & (fractional[:, axis] <= margins[owner, axis])
        images = fractional[near] + np.eye(3)[axis]
        fractional = np.concatenate([fractional, images])
        owner = np.concatenate([owner, owner[near]])
        atom = np.concatenate([atom, atom[near]])
    return np.einsum("ni,nij->nj", fractional, cells[owner]), owner, atom

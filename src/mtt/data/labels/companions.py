"""Label files: they must hold the structures of the data set that the labels belong to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtt.data.files.raw_frame import RawFrame
from mtt.data.findings import Findings, listed_frames
from mtt.errors import DataError

_SAME_PLACE = 1e-3  # files round positions and cells differently
_DIRECTIONS = np.random.default_rng(0).normal(size=(3, 8))  # in general position
_HINT = "both files must hold the same structures, in the same order"


def compare(systems: Sequence[RawFrame], labels: Sequence[RawFrame], section: str) -> str:
    """Whether ``labels`` are frames of the same structures; a notice if positions differ.

    Cells are compared along periodic directions, up to 0.001: elsewhere they are of no effect.

    :raises DataError: other number of frames; collects frames with other atoms, other
        periodicity or another cell, and those with the same atoms in another order.
    """
    here, there = labels[0].file, systems[0].file
    if len(labels) != len(systems):
        what = f"{len(labels)} structures for {section}, but {there} has {len(systems)} structures"
        raise DataError(what, where=here, hint=_HINT)
    findings = Findings()
    moved = []
    for system, label in zip(systems, labels, strict=True):
        if not np.array_equal(system.numbers, label.numbers):
            findings.add(label, "the atoms differ", f" from those of {system.source}", _HINT)
        elif not np.array_equal(system.pbc, label.pbc):
            detail = f": {_flags(label)}, and {_flags(system)} in {system.source}"
            findings.add(label, "the periodicity (pbc) differs", detail, _HINT)
        elif not _same_cell(system, label):
            detail = f": {_rows(label)}, and {_rows(system)} in {system.source}"
            findings.add(label, "the cell differs", detail, _HINT)
        elif not np.allclose(system.positions, label.positions, rtol=0.0, atol=_SAME_PLACE):
            if _is_permuted(system, label):
                detail = f" than in {system.source}"
                findings.add(label, "the atoms are in another order", detail, _HINT)
            else:
                moved.append(label)
    findings.raise_if_any()
    if not moved:
        return ""
    return (
        f"{here} ({section}) and {there} have different positions in {len(moved)} structures, "
        f"first in {listed_frames(moved[:1])}; the structures of {there} are used"
    )


def _same_cell(one: RawFrame, other: RawFrame) -> bool:
    return np.allclose(
        one.cell[one.pbc], other.cell[one.pbc], rtol=0.0, atol=_SAME_PLACE, equal_nan=True
    )


def _is_permuted(one: RawFrame, other: RawFrame) -> bool:
    """Whether the atoms of both are at the same places, in another order.

    Projections on lines, sorted, are then the same. Rounding moves none by more than it moves
    the atoms.
    """
    here, there = (np.sort(frame.positions @ _DIRECTIONS, axis=0) for frame in (one, other))
    return np.allclose(here, there, rtol=0.0, atol=_SAME_PLACE)


def _flags(frame: RawFrame) -> str:
    return " ".join("T" if periodic else "F" for periodic in frame.pbc)


def _rows(frame: RawFrame) -> str:
    """The periodic cell vectors."""
    return " | ".join(" ".join(f"{x:.6g}" for x in row) for row in frame.cell[frame.pbc])

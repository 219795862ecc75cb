"""Structures that are read as molecules: by ``pbc``, or by a key in the wrong spelling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mtt.data.files.raw_frame import RawFrame
from mtt.data.labels.keys import symmetric
from mtt.data.labels.spelling import misspelt
from mtt.scanning.tools.finding import Finding, Place, Severity

SPELLING = "spelling of keys"
CHECK = "periodicity"
UNUSED = "stress not used"
_DENSE = 50.0  # Å³ per atom: solids and liquids have less, molecules in a box far more


def check_periodicity(
    part: str, path: str, frames: Sequence[RawFrame], stress_keys: set[str], angstrom: float = 1.0
) -> Iterator[Finding]:
    """Why the structures of one file are not periodic.

    :param stress_keys: under which a stress is looked for.
    :param angstrom: one Å in the unit of length of the file.
    """
    for one in misspelt(frames):
        yield Finding(
            SPELLING, "wrong", one.what, (_place(part, path, one.frames),), None, "", one.advice
        )
    found: dict[tuple[str, Severity, str, str], list[int]] = {}
    for frame in frames:
        if not frame.pbc.all():
            has_stress = any(_is_stress(frame, key) for key in stress_keys)
            kind = _kind(frame, has_stress, angstrom)
            if kind is not None:
                found.setdefault(kind, []).append(frame.number)
    for (check, severity, what, advice), numbers in found.items():
        yield Finding(check, severity, what, (_place(part, path, numbers),), None, "", advice)


def taken_for_molecules(found: Sequence[Finding]) -> set[str]:
    """Files of misread structures, whose forces and stresses decide nothing about units."""
    explaining = (SPELLING, CHECK)
    return {place.file for one in found if one.check in explaining for place in one.places}


def _kind(
    frame: RawFrame, has_stress: bool, angstrom: float
) -> tuple[str, Severity, str, str] | None:
    """Check, severity, what and advice for a structure that is not periodic; None if it is fine."""
    volume = abs(float(np.linalg.det(frame.cell)))
    filled = 0.0 < volume < _DENSE * angstrom**3 * len(frame.numbers)
    if filled and not frame.pbc.any() and len(frame.numbers) > 1:
        what = "structures have a cell (Lattice) that their atoms fill, and are not periodic (pbc "
        what += "F F F): " + ("their stress is not used" * has_stress or "are they molecules?")
        advice = 'if these are solids or liquids, write pbc="T T T"'
        return CHECK, "wrong" if has_stress else "suspicious", what, advice
    if has_stress and not frame.cell.any():
        what = "a stress is given without a cell (Lattice): it is not used"
        return CHECK, "wrong", what, "write Lattice and pbc, or leave the stress out"
    if has_stress:
        pbc = " ".join("FT"[int(flag)] for flag in frame.pbc)
        what = f"a stress is given where pbc is {pbc}: it is not used"
        advice = "a stress needs pbc T T T; of molecules and slabs leave it out"
        return UNUSED, "suspicious", what, advice
    return None


def _place(part: str, path: str, numbers: Sequence[int]) -> Place:
    return Place(part, path, tuple(numbers))


def _is_stress(frame: RawFrame, key: str) -> bool:
    """Whether there is a stress that is not zero."""
    if key not in frame.per_structure:
        return False
    try:
        return bool(np.nan_to_num(symmetric(frame.per_structure[key])).any())
    except (ValueError, TypeError):
        return False

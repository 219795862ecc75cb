"""One key of the options, looked up in every frame of a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtt.data.files.raw_frame import RawFrame
from mtt.data.findings import Findings, files_of, listed_frames
from mtt.data.frames import Float
from mtt.data.labels.keys import existing, suggestion
from mtt.data.labels.misplaced import of_atoms, storing
from mtt.errors import Problem
from mtt.options.values import GRADIENTS

WRITE_NAN = "write nan where a structure has no label"


@dataclass(frozen=True)
class Section:
    """Section of the options whose key is looked up.

    :param name: as the user writes it, ``"targets.energy.forces"``.
    :param explicit: False where it is a default, so that a file without it is not a mistake.
    :param convert: from what the file has and the number of atoms, to an array.
    :param shape: of that array, from the number of atoms.
    :param remedy: what else can be done where no structure has the key.
    :param of_elements: in place of ``convert``, given the atomic numbers [n_atoms].
    """

    name: str
    key: str
    per_atom: bool
    explicit: bool
    convert: Callable[[Any, int], Float]
    shape: Callable[[int], tuple[int, ...]]
    remedy: str = ""
    of_elements: Callable[[Any, NDArray[np.int64]], Float] | None = None


def look_up(
    section: Section,
    frames: Sequence[RawFrame],
    required: Sequence[bool],
    findings: Findings,
    notices: list[str],
) -> list[Float] | None:
    """One array per frame, all NaN where a frame that is not ``required`` has no such key.

    None where there is nothing to use: because of a mistake, which is then in ``findings``, or
    because it was not asked for, which is then in ``notices``.
    """
    values = [_places(frame, section)[0].get(section.key) for frame in frames]
    if all(value is None for value in values) and section.per_atom:
        values = _from_structures(section, frames, notices) or values
    if all(value is None for value in values):
        _absent(section, frames, findings, notices)
        return None
    for frame, value, needed in zip(frames, values, required, strict=True):
        if value is None and needed:
            known, meant = _alternatives(frame, section)
            what = f"no {section.key!r} for {section.name}"
            findings.add(frame, what, f" ({known})", meant or WRITE_NAN)
    _check_twice(section, frames, findings, notices)
    arrays = [_convert(section, f, v, findings) for f, v in zip(frames, values, strict=True)]
    if not all(np.isnan(array).all() for array in arrays):
        return arrays
    if not findings:
        _all_missing(section, frames, findings, notices)
    return None


def tell_missing(
    section: Section, frames: Sequence[RawFrame], arrays: Sequence[Float], notices: list[str]
) -> None:
    """A notice that counts the labels that are NaN."""
    rows = [
        int(np.isnan(array).any(axis=tuple(range(1, array.ndim))).sum())  # also without any row
        for array in arrays
    ]
    partial = [frame for frame, count in zip(frames, rows, strict=True) if count]
    if partial:
        count = f"{len(partial)} of {len(frames)} structures"
        atoms = f", {sum(rows)} atoms" if section.per_atom else ""
        notices.append(
            f"{files_of(frames)}: {section.key!r} is NaN, a missing label, in {count}{atoms} "
            f"({listed_frames(partial)})"
        )


def _from_structures(
    section: Section, frames: Sequence[RawFrame], notices: list[str]
) -> list[Any] | None:
    """Values of atoms given per structure, if it is clear which atom each one is of."""
    if not any(section.key in frame.per_structure for frame in frames):
        return None
    width = math.prod(section.shape(1)[1:])
    found = of_atoms(frames, section.key, width)
    if found is not None:
        count = f"{width} numbers" if width > 1 else "a number"
        notices.append(
            f"{files_of(frames)}: {section.key!r} is per structure (atoms.info), with {count} "
            f"for each atom: it is read per atom, for {section.name}"
        )
    return found


def _places(frame: RawFrame, section: Section) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Places where a key is looked up, and where it may be by mistake."""
    if section.per_atom:
        return frame.per_atom, frame.per_structure
    return frame.per_structure, frame.per_atom


def _alternatives(frame: RawFrame, section: Section) -> tuple[str, str]:
    """The keys that exist, and the one that was meant."""
    wanted, other = _places(frame, section)
    kind = "per atom" if section.per_atom else "per structure"
    known = existing(wanted, kind)
    if section.key in other and section.name.rpartition(".")[2] in GRADIENTS:
        return known, storing(frame, section.key, section.per_atom)
    return known, suggestion(section.key, wanted, other, section.per_atom)


def _absent(
    section: Section, frames: Sequence[RawFrame], findings: Findings, notices: list[str]
) -> None:
    # the key may be in a place where it is not read
    with_key = next((one for one in frames if section.key in _places(one, section)[1]), frames[0])
    known, meant = _alternatives(with_key, section)
    where = files_of(frames)
    what = f"no {section.key!r} in any structure"
    if section.explicit:
        hint = meant or f"set {section.name}.key to the key that the file has{section.remedy}"
        findings.problems.append(Problem(f"{what}, for {section.name} ({known})", where, hint))
    else:
        tail = f"; {meant or section.remedy}" if meant or section.remedy else ""
        notices.append(f"{where}: {what}: {_without(section)}{tail}")


def _all_missing(
    section: Section, frames: Sequence[RawFrame], findings: Findings, notices: list[str]
) -> None:
    where = files_of(frames)
    what = f"every {section.key!r} is NaN, a missing label"
    if section.explicit:
        findings.problems.append(Problem(f"{what}, for {section.name}", where))
    else:
        notices.append(f"{where}: {what}: {_without(section)}")


def _without(section: Section) -> str:
    name, _, gradient = section.name.removeprefix("targets.").rpartition(".")
    return f"{name} is trained without {gradient}"


def _check_twice(
    section: Section, frames: Sequence[RawFrame], findings: Findings, notices: list[str]
) -> None:
    """A mistake where a key has two values that differ; a notice where others may be meant."""
    shadowed, twins = [], set()
    folded = section.key.casefold()
    for frame in frames:
        if section.key in frame.twice:
            what = f"{section.key!r} for {section.name} is there twice"
            findings.add(frame, what, f": {frame.twice[section.key]}", _ONE)
        wanted, other = _places(frame, section)
        both = section.key in wanted and section.key in other
        if both and other[section.key] is not wanted[section.key]:
            shadowed.append(frame)
        twins |= {key for key in wanted if key != section.key and key.casefold() == folded}
    kinds = ("per atom", "per structure")[:: 1 if section.per_atom else -1]
    if shadowed:
        notices.append(
            f"{files_of(frames)}: {section.key!r} is there {kinds[0]} and {kinds[1]} "
            f"({listed_frames(shadowed)}); {section.name} reads the one {kinds[0]}"
        )
    if twins:
        others = ", ".join(map(repr, sorted(twins)))
        notices.append(
            f"{files_of(frames)}: {section.name} reads {section.key!r} and not {others}, which "
            "differs in case only"
        )


_ONE = "keep the one that is meant"


def _convert(section: Section, frame: RawFrame, value: Any, findings: Findings) -> Float:
    n_atoms = len(frame.numbers)
    if value is not None:
        try:
            if section.of_elements is not None:
                return section.of_elements(value, frame.numbers)
            return section.convert(value, n_atoms)
        except ValueError as error:
            what, colon, detail = str(error).partition(": ")
            what = f"{section.key!r} for {section.name}: {what}"
            findings.add(frame, what, colon + detail)
    return np.full(section.shape(n_atoms), np.nan)

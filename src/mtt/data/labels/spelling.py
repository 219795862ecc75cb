"""Keys of an XYZ file's comment line that have a meaning in one spelling alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mtt.data.files.raw_frame import RawFrame
from mtt.data.findings import name_frames
from mtt.data.labels.keys import numbers_in

_FLAGS = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}


class Misspelt(NamedTuple):
    """A key that looks like one of the format, and is not read as such."""

    file: str
    key: str
    right: str
    effect: str  # of its being an ordinary key
    frames: tuple[int, ...]

    @property
    def what(self) -> str:
        """A sentence for the user, without the file."""
        return f"{self.key!r} is not {self.right!r}, the only spelling that counts: {self.effect}"

    @property
    def advice(self) -> str:
        return f"write {self.right}= in place of {self.key}="


def misspelt(frames: Sequence[RawFrame]) -> list[Misspelt]:
    """``lattice``, ``cell``, ``PBC``, ``properties`` … where they change what a structure is.

    A key whose value could not be one of the format (``lattice=fcc``) or says what the structure
    is anyway is left alone.
    """
    found: dict[tuple[str, str], tuple[str, str, list[int]]] = {}
    for frame in frames:
        for key, right, effect in _of_frame(frame):
            found.setdefault((frame.file, key), (right, effect, []))[2].append(frame.number)
    return [
        Misspelt(file, key, right, effect, tuple(numbers))
        for (file, key), (right, effect, numbers) in found.items()
    ]


def spelling_notices(frames: Sequence[RawFrame]) -> list[str]:
    """Notices for the start of a training or an evaluation."""
    return [
        f"{one.file}: {one.what} ({name_frames(one.frames)}); {one.advice}"
        for one in misspelt(frames)
    ]


def _of_frame(frame: RawFrame) -> Iterator[tuple[str, str, str]]:
    for key, value in frame.per_structure.items():
        lower = key.lower()
        if lower in ("lattice", "cell", "unit_cell", "box") and _is_cell(value):
            if not frame.cell.any():
                yield key, "Lattice", "the structure is read without a cell"
        elif lower == "pbc":
            flags = _flags(value)
            if flags is not None and not np.array_equal(flags, frame.pbc):
                read = " ".join("FT"[int(flag)] for flag in frame.pbc)
                yield key, "pbc", f"the structure is read with pbc {read}"
        elif lower == "properties" and isinstance(value, str) and value.count(":") >= 2:
            effect = "columns after the positions are not read"
            yield key, "Properties", effect


def _is_cell(value: Any) -> bool:
    try:
        array = numbers_in(value)
    except (ValueError, TypeError):
        return False
    return array.size == 9 and bool(np.isfinite(array).all() and array.any())


def _flags(value: Any) -> np.ndarray[Any, Any] | None:
    words = value.split() if isinstance(value, str) else np.asarray(value).reshape(-1).tolist()
    flags = [_FLAGS.get(str(word).lower()) for word in words]
    return (
        np.array(flags * (3 // len(flags))) if len(flags) in (1, 3) and None not in flags else None
    )

"""Where every option was written: file and line, or the override that set it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mtt.errors import Problem

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the root of the file to a value."""


class Fault(NamedTuple):
    """A mistake at a key path, before it is turned into a :class:`~mtt.errors.Problem`."""

    path: KeyPath
    what: str
    hint: str = ""


class _Mark(NamedTuple):
    line: int  # from 1; 0 for an override
    text: str
    path: tuple[str, ...]


class Places:
    """The place of every key of one options file.

    :param source: the file as the user named it; empty for options given as a dict.
    """

    def __init__(self, source: str = "") -> None:
        self.source = source
        self._marks: dict[tuple[str, ...], _Mark] = {}

    def mark_line(self, path: KeyPath, line: int) -> None:
        """Record that ``path`` is in ``line`` of the file."""
        key = _plain(path)
        self._marks[key] = _Mark(line, f"{self.source}:{line}", key)

    def mark_override(self, path: KeyPath, override: str) -> None:
        """Record that ``path`` and all below it now come from ``-r override``."""
        key = _plain(path)
        for other in [k for k in self._marks if k[: len(key)] == key]:
            del self._marks[other]
        self._marks[key] = _Mark(0, f"-r {override}", key)

    def line(self, path: KeyPath) -> int:
        """The line of ``path``, or of the nearest key above it; 0 where none is known."""
        mark = self._nearest(path)
        return mark.line if mark else 0

    def where(self, path: KeyPath) -> str:
        """``options.yaml:4 architecture.model.cutoff``."""
        mark = self._nearest(path)
        if mark is None:
            return " ".join(part for part in (self.source, dotted(path)) if part)
        if mark.line == 0 and mark.path == _plain(path):
            return mark.text
        return f"{mark.text} {dotted(path)}"

    def problems(self, faults: Sequence[Fault]) -> list[Problem]:
        """``faults`` with their places, in the order of the lines."""
        ordered = sorted(faults, key=lambda fault: (self.line(fault.path), dotted(fault.path)))
        found = [Problem(fault.what, self.where(fault.path), fault.hint) for fault in ordered]
        return list(dict.fromkeys(found))

    def _nearest(self, path: KeyPath) -> _Mark | None:
        """The mark of ``path``, or of the nearest key above it that was written."""
        key = _plain(path)
        for length in range(len(key), 0, -1):
            if key[:length] in self._marks:
                return self._marks[key[:length]]
        return None


def dotted(path: KeyPath) -> str:
    """``training_set[0].targets.energy``."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text


def as_index(key: str | int) -> int | None:
    """The place in a list, or the epoch, that ``key`` is the number of; None for other texts."""
    if isinstance(key, int):
        return key
    return int(key) if key.isdecimal() and len(key) < 19 else None  # below 2⁶³


def _plain(path: KeyPath) -> tuple[str, ...]:
    return tuple(str(key) for key in path)

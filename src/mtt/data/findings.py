"""Mistakes found in many frames, reported in few lines: counted, the first ones named."""

from __future__ import annotations

from collections.abc import Sequence

from mtt.data.files.raw_frame import RawFrame
from mtt.errors import DataError, Problem

_NAMED = 5  # frames named per mistake
_LISTED = 20  # mistakes listed per error


class Findings:
    """Collects mistakes of one data set, by kind.

    ``add`` takes one frame at a time; ``raise_if_any`` reports everything in one error.
    """

    def __init__(self) -> None:
        self._frames: dict[tuple[str, str], list[int]] = {}
        self._first: dict[tuple[str, str], Problem] = {}
        self.problems: list[Problem] = []  # those that are not about single frames

    def add(self, frame: RawFrame, what: str, detail: str = "", hint: str = "") -> None:
        """``what`` is the kind of the mistake; ``detail`` (of the first frame) goes with it."""
        kind = (frame.file, what)
        self._frames.setdefault(kind, []).append(frame.number)
        self._first.setdefault(kind, Problem(what + detail, frame.file, hint))

    def add_problems(self, problems: Sequence[Problem]) -> None:
        """Mistakes that are not about single frames, each reported once."""
        self.problems += [problem for problem in problems if problem not in self.problems]

    def __bool__(self) -> bool:
        return bool(self._frames or self.problems)

    def raise_if_any(self) -> None:
        """:raises DataError: with all mistakes."""
        problems = list(self.problems)
        for kind, (what, file, hint) in self._first.items():
            frames = [*dict.fromkeys(self._frames[kind])]
            count = f" ({len(frames)} frames)" if len(frames) > 1 else ""
            problems.append(Problem(what + count, f"{file}, {name_frames(frames)}", hint))
        if problems:
            raise DataError.collect(listed(problems))


def listed_frames(frames: Sequence[RawFrame]) -> str:
    """``frames 3, 4`` of one file; ``a.xyz, frame 3; b.xyz, frames 0, 1`` of several."""
    by_file: dict[str, list[int]] = {}
    for frame in frames:
        by_file.setdefault(frame.file, []).append(frame.number)
    if len(by_file) == 1:
        return name_frames(next(iter(by_file.values())))
    named = [f"{file}, {name_frames(numbers)}" for file, numbers in by_file.items()]
    more = f"; and {len(named) - _NAMED} more files" if len(named) > _NAMED else ""
    return "; ".join(named[:_NAMED]) + more


def files_of(frames: Sequence[RawFrame]) -> str:
    """``a.xyz``, or ``a.xyz and 2 more files``."""
    first, *others = dict.fromkeys(frame.file for frame in frames)
    if not others:
        return first
    return f"{first} and {len(others)} more file{'s' if len(others) > 1 else ''}"


def name_frames(frames: Sequence[int]) -> str:
    """``frame 3``, or ``frames 0, 1, 2, 3, 4 and 7 more``."""
    if len(frames) == 1:
        return f"frame {frames[0]}"
    rest = f" and {len(frames) - _NAMED} more" if len(frames) > _NAMED else ""
    return "frames " + ", ".join(map(str, frames[:_NAMED])) + rest


def listed(problems: Sequence[Problem]) -> list[Problem]:
    """The first problems, and the number of those left out; repeated ones are reported once."""
    alike: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        alike.setdefault((problem.what, problem.hint), []).append(problem)
    reported = []
    for first, *others in alike.values():
        more = f" (and in {len(others)} more places)" if others else ""
        reported.append(first._replace(what=first.what + more))
    rest = len(reported) - _LISTED
    return [*reported[:_LISTED], *([Problem(f"and {rest} more like these")] if rest > 0 else [])]

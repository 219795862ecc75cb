"""What went wrong, where, and what to do about it.

Every error that a user can cause is an :class:`MttError`. It carries one or more
:class:`Problem`s, so that a file with five mistakes is reported once, with all five.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self


class Problem(NamedTuple):
    """One mistake: what is wrong, where it is, and how to correct it."""

    what: str
    where: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f"; {self.hint}" if self.hint else ""
        return f"{place}{self.what}{remedy}"


class MttError(Exception):
    """An error that the user can correct, reported in one message.

    :param what: what is wrong, in one sentence without a full stop.
    :param where: file, line, key or frame (``options.yaml:4 training_set.targets``).
    :param hint: what to do about it.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem(what, where, hint),)
        super().__init__(str(self))

    @classmethod
    def collect(cls, problems: Sequence[Problem]) -> Self:
        """One error for all ``problems`` (at least one), in their order."""
        assert problems, "an error needs at least one problem"
        error = cls(*problems[0][:1], where=problems[0].where, hint=problems[0].hint)
        error.problems = tuple(problems)
        error.args = (str(error),)
        return error

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class ConfigError(MttError):
    """The options are wrong: a key, a value, a file that is not YAML."""


class DataError(MttError):
    """The data are wrong: a missing key, a NaN, a cell without volume."""


class ArchitectureError(MttError):
    """An architecture cannot be found, loaded, or do what is asked of it."""


class MissingPackageError(ArchitectureError):
    """An architecture needs a package that is not installed, or another version of it."""


class CheckpointError(MttError):
    """A checkpoint or exported model is damaged, unsafe, or of the wrong kind."""


class TrainingError(MttError):
    """Training cannot start or continue."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``did you mean 'cutoff'?`` for a mistyped ``name``, or an empty string.

    A name of the same case comes first; without one, case does not matter.
    """
    names = [str(one) for one in known]
    folded = {one.casefold(): one for one in reversed(names)}
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6) or [
        folded[one]
        for one in difflib.get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.6)
    ]
    return f"did you mean {close[0]!r}?" if close else ""

"""A check of an architecture, and what comes of it; free of pytest, for commands to show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mtt.testing.failure import CheckFailed

if TYPE_CHECKING:
    from mtt.testing.measure import Measured, Note
    from mtt.testing.subject import Subject

Status = Literal["passed", "failed", "declared", "does not apply"]


@dataclass(frozen=True)
class Check:
    """One promise of an architecture.

    :param name: the promise, a sentence.
    :param function: yields what it measures, each with what is allowed; raises
        :class:`CheckFailed` if a broken promise is not a number.
    :param meaning: what breaks for a user of the model if the promise is broken.
    :param look: where mistakes of this kind usually are.
    """

    name: str
    function: Callable[[Subject], Iterable[Measured | Note] | None]
    meaning: str = ""
    look: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of one check.

    :param status: ``"declared"``: the model says itself that it does not promise this.
    :param message: why, if it did not pass.
    :param failure: of a failed check; its ``__cause__`` is what the architecture raised.
    :param measured: numbers in words: of a declared exception how far it is from the promise,
        of a check that measures speed or memory what it found. May be empty.
    :param seconds: wall time that the check took.
    """

    check: Check
    status: Status
    message: str = ""
    failure: CheckFailed | None = None
    measured: str = ""
    seconds: float = 0.0

    @property
    def meaning(self) -> str:
        """Meaning of a failed check for a user of the model."""
        return self.check.meaning if self.status == "failed" else ""

    @property
    def look(self) -> str:
        """Where to look after a failed check."""
        return self.check.look if self.status == "failed" else ""

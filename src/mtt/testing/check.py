"""A check of an architecture, and what comes of it; free of pytest, for commands to show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from mtt.errors import MttError

if TYPE_CHECKING:
    from mtt.testing.measure import Measured, Note
    from mtt.testing.subject import Subject

Status = Literal["passed", "failed", "declared", "does not apply"]


class CheckFailed(MttError):
    """An architecture breaks a promise; ``hint`` says where to look, if more is known than
    what the check itself says.
    """


class DoesNotApply(Exception):
    """The check asks for something that this architecture has not; the text says what."""


@dataclass(frozen=True)
class Check:
    """One promise of an architecture.

    :param name: the promise, a sentence.
    :param function: yields what it measures, each with what is allowed; raises
        :class:`CheckFailed` where a promise is broken that is no number.
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
        """Of a failed check: what this means for a user of the model."""
        return self.check.meaning if self.status == "failed" else ""

    @property
    def look(self) -> str:
        """Of a failed check: where to look."""
        return self.check.look if self.status == "failed" else ""


def compare(
    what: str, found: Tensor, wanted: Tensor, tolerance: float, hint: str, *, size: float = 0.0
) -> None:
    """Fail unless ``found`` is ``wanted`` to ``tolerance``, relative to the largest number.

    :param size: magnitude that the numbers have where they are not small by cancellation.
    :raises CheckFailed: they differ, or one is not finite.
    """
    if found.shape != wanted.shape:
        raise CheckFailed(
            f"{what}: {list(found.shape)} numbers, not {list(wanted.shape)}", hint=hint
        )
    if found.numel() == 0:
        return
    magnitude = max(float(found.abs().max()), float(wanted.abs().max()), size)
    difference = float((found - wanted).abs().max())
    if not difference <= tolerance * magnitude + TINY:  # also for NaN
        raise CheckFailed(
            f"{what}: differ by {difference:.1e}, the largest is {magnitude:.1e}", hint=hint
        )


TINY = 1e-13
"""Differences that are none, whatever the unit."""

"""A check of an architecture, and what comes of it; free of pytest, for commands to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from mtt.errors import MttError

if TYPE_CHECKING:
    from mtt.testing.subject import Subject

Status = Literal["passed", "failed", "declared", "does not apply"]


class CheckFailed(MttError):
    """An architecture breaks a promise; ``hint`` says where to look."""


class DoesNotApply(Exception):
    """The check asks for something that this architecture has not; the text says what."""


@dataclass(frozen=True)
class Check:
    """One promise of an architecture.

    :param name: the promise, a sentence.
    :param function: raises :class:`CheckFailed` where the promise is broken.
    """

    name: str
    function: Callable[[Subject], None]


@dataclass(frozen=True)
class Outcome:
    """What came of one check.

    :param status: ``"declared"``: the model says itself that it does not promise this.
    :param message: why, if it did not pass; of a declared exception with what was measured.
    :param failure: of a failed check; its ``__cause__`` is what the architecture raised.
    """

    check: Check
    status: Status
    message: str = ""
    failure: CheckFailed | None = None


def run(check: Check, subject: Subject) -> Outcome:
    """Run one check. What the model declares not to promise is measured, not failed."""
    reason = subject.exceptions.get(check.name)
    try:
        _call(check, subject)
    except DoesNotApply as note:
        return Outcome(check, "does not apply", str(note))
    except CheckFailed as failure:
        if reason is None:
            return Outcome(check, "failed", str(failure), failure)
        return Outcome(check, "declared", f"{reason} ({failure.problems[0].what})")
    if reason is not None:
        return Outcome(check, "declared", f"{reason} (the check passes nevertheless)")
    return Outcome(check, "passed")


def _call(check: Check, subject: Subject) -> None:
    try:
        check.function(subject)
    except (CheckFailed, DoesNotApply):
        raise
    except Exception as error:  # code of an architecture can raise anything
        raise CheckFailed(_told(error), where=subject.architecture.name) from error


def _told(error: BaseException) -> str:
    """The first line of what was raised first."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


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

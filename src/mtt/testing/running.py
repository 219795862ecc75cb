"""Checks, run one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from mtt.stopping import stop_if_asked
from mtt.testing.catalogue import CHECKS
from mtt.testing.check import Check, Outcome
from mtt.testing.failure import CheckFailed, DoesNotApply
from mtt.testing.measure import Measured, Note, judge, reported
from mtt.testing.subject import Subject, check_exceptions

Report = Callable[[Outcome], None]


def run_all(
    subject: Subject, checks: Sequence[Check] = CHECKS, report: Report | None = None
) -> list[Outcome]:
    """Run ``checks`` in their order.

    :param report: called with each outcome as soon as there is one.
    :raises ArchitectureError: the model declares exceptions from checks that do not exist.
    """
    check_exceptions(subject, [check.name for check in CHECKS])
    outcomes = []
    for check in checks:
        stop_if_asked()
        outcomes.append(run(check, subject))
        if report is not None:
            report(outcomes[-1])
    return outcomes


def run(check: Check, subject: Subject) -> Outcome:
    """Run one check. What the model declares not to promise is measured, not failed."""
    start = time.perf_counter()
    reason = subject.exceptions.get(check.name)
    outcome = _outcome_of(check, subject) if reason is None else _measured(check, subject, reason)
    return replace(outcome, seconds=time.perf_counter() - start)


def _outcome_of(check: Check, subject: Subject) -> Outcome:
    try:
        findings = _call(check, subject, to_the_end=False)
    except DoesNotApply as note:
        return Outcome(check, "does not apply", str(note))
    except CheckFailed as failure:
        return Outcome(check, "failed", str(failure), failure)
    return Outcome(check, "passed", measured=reported([f for f in findings if isinstance(f, Note)]))


def _measured(check: Check, subject: Subject, reason: str) -> Outcome:
    try:
        findings = _call(check, subject, to_the_end=True)
    except DoesNotApply as note:
        return Outcome(check, "does not apply", str(note))
    except CheckFailed as failure:
        return Outcome(check, "declared", reason, measured=str(failure.problems[0].what))
    kept = all(f.good for f in findings if isinstance(f, Measured))
    message = f"{reason} (the check passes nevertheless)" if kept else reason
    return Outcome(check, "declared", message, measured=reported(findings))


def _call(check: Check, subject: Subject, *, to_the_end: bool) -> list[Measured | Note]:
    try:
        return judge(check.function(subject) or (), to_the_end=to_the_end)
    except (CheckFailed, DoesNotApply):
        raise
    except Exception as error:  # code of an architecture can raise anything
        raise CheckFailed(_told(error), where=subject.architecture.name) from error


def _told(error: BaseException) -> str:
    """The first line of what was raised first; all of it where TorchScript shows code."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip()
    if 'File "' not in text:
        text = text.partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

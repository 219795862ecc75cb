"""Checks one target; what is wrong with it is a result, not an error."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtt.checking.hypers import model_hypers
from mtt.checking.select import Selection
from mtt.checking.target import Target
from mtt.errors import MttError, Problem
from mtt.interface import Listener
from mtt.testing import Outcome, Subject, run_all
from mtt.workflows import train

Report = Callable[[Outcome], None]


@dataclass(frozen=True)
class Result:
    """What came of one target.

    :param outcomes: of the checks of an architecture, in their order.
    :param problems: why it cannot be checked at all; of options all that is wrong.
    :param seconds: wall time.
    """

    target: Target
    outcomes: tuple[Outcome, ...] = ()
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.problems and all(one.status != "failed" for one in self.outcomes)


def check_target(
    target: Target,
    selection: Selection,
    report: Report | None = None,
    listeners: Sequence[Listener] = (),
) -> Result:
    """Check an architecture by the conformance suite, options as a dry run does.

    :param report: called with each outcome of a check as soon as there is one.
    :param listeners: told what a training of the options tells before it begins.
    """
    start = time.perf_counter()
    outcomes: Sequence[Outcome] = ()
    problems: tuple[Problem, ...] = ()
    try:
        if target.architecture is None:
            _check_options(target, selection, listeners)
        else:
            outcomes = _check_architecture(target, selection, report)
    except MttError as error:
        problems = error.problems
    return Result(target, tuple(outcomes), problems, time.perf_counter() - start)


def place(outcome: Outcome, folder: Path) -> str:
    """``model.py:43``: the last line of the folder's own code on the way to a failure, if any."""
    error = None if outcome.failure is None else outcome.failure.__cause__
    frames = [] if error is None else traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    return f"{Path(own[-1].filename).relative_to(folder)}:{own[-1].lineno}" if own else ""


def _check_architecture(
    target: Target, selection: Selection, report: Report | None
) -> list[Outcome]:
    assert target.architecture is not None, "of this kind"
    architecture = target.architecture.load()
    hypers = model_hypers(selection.hypers, selection.overrides, architecture)
    return run_all(Subject(architecture, model_hypers=hypers), selection.checks, report)


def _check_options(target: Target, selection: Selection, listeners: Sequence[Listener]) -> None:
    train(
        target.text,
        dry_run=True,
        overrides=selection.overrides,
        architectures=selection.architectures,
        listeners=listeners,
    )

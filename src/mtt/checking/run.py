"""Checks one target; problems of the target are a result, not an error."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtt.checking.first_errors import check_first_errors
from mtt.checking.hypers import model_hypers
from mtt.checking.quick_fit import fitter
from mtt.checking.select import Selection
from mtt.checking.target import Target
from mtt.errors import MttError, Problem
from mtt.interface import Listener
from mtt.scanning import Finding, scan
from mtt.scanning.tools.finding import by_severity
from mtt.testing import Outcome, Subject, run_all
from mtt.workflows.train import check_only

Report = Callable[[Outcome], None]


@dataclass(frozen=True)
class Result:
    """The result for one target.

    :param outcomes: of the checks of an architecture, in their order.
    :param problems: why it cannot be checked at all; of options all that is wrong.
    :param findings: of the scan of an options file's data, the worst first.
    :param seconds: wall time.
    """

    target: Target
    outcomes: tuple[Outcome, ...] = ()
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Nothing failed and nothing is wrong; suspicious findings are for the user to judge."""
        failed = any(one.status == "failed" for one in self.outcomes)
        wrong = any(one.severity == "wrong" for one in self.findings)
        return not (self.problems or failed or wrong)


def check_target(
    target: Target,
    selection: Selection,
    report: Report | None = None,
    listeners: Sequence[Listener] = (),
) -> Result:
    """Check an architecture by the conformance suite; options as a dry run does, and their data.

    :param report: called with each outcome of a check as soon as there is one.
    :param listeners: get the events that a training of the options reports before it begins.
    """
    start = time.perf_counter()
    outcomes: Sequence[Outcome] = ()
    problems: tuple[Problem, ...] = ()
    findings: Sequence[Finding] = ()
    try:
        if target.architecture is None:
            findings = _check_options(target, selection, listeners)
        else:
            outcomes = _check_architecture(target, selection, report)
    except MttError as error:
        problems = error.problems
    seconds = time.perf_counter() - start
    return Result(target, tuple(outcomes), problems, tuple(findings), seconds)


def place(outcome: Outcome, folder: Path) -> str:
    """``model.py:43``: the last line of the folder's own code on the way to a failure, if any."""
    error = None if outcome.failure is None else outcome.failure.__cause__
    frames = [] if error is None else traceback.extract_tb(error.__traceback__)
    places = [(frame.filename, str(frame.lineno)) for frame in frames]
    places += reversed(re.findall(r'File "([^"]+)", line (\d+)', outcome.message))  # TorchScript's
    own = [one for one in places if Path(one[0]).is_relative_to(folder)]
    return f"{Path(own[-1][0]).relative_to(folder)}:{own[-1][1]}" if own else ""


def _check_architecture(
    target: Target, selection: Selection, report: Report | None
) -> list[Outcome]:
    assert target.architecture is not None, "of this kind"
    architecture = target.architecture.load()
    hypers = model_hypers(selection.hypers, selection.overrides, architecture)
    return run_all(Subject(architecture, model_hypers=hypers), selection.checks, report)


def _check_options(
    target: Target, selection: Selection, listeners: Sequence[Listener]
) -> list[Finding]:
    plan, start = check_only(
        target.text,
        overrides=selection.overrides,
        architectures=selection.architectures,
        listeners=listeners,
    )
    options, length_unit = plan.options, plan.data.info.length_unit
    parts = {
        "training": options.training_set,
        "validation": options.validation_set,
        "test": options.test_set,
    }
    requested = start.model.requested_neighbor_lists()
    found = scan(
        plan.data.parts(),
        {name: part for name, part in parts.items() if isinstance(part, list)},
        cutoff=max((float(one.engine_cutoff(length_unit)) for one in requested), default=None),
        baseline=options.architecture["training"].get("atomic_baseline"),
        fit=fitter(selection.architectures) if selection.fit else None,
    )
    return by_severity([*found, *check_first_errors(start)])

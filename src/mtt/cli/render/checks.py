"""Output of ``mtt check``: results as they come, the meaning of failures, a summary; or JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mtt.cli.render import scan, terminal

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType
    from rich.status import Status

    from mtt.checking import Result, Target
    from mtt.errors import Problem
    from mtt.registry import Found
    from mtt.testing import Check, Outcome

STYLES = {"passed": "green", "failed": "bold red", "declared": "yellow", "does not apply": "dim"}
WIDEST = 110  # lines longer than this are hard to read


class Progress:
    """The results of one architecture, while they come.

    :param checks: all that will be run, in their order.
    """

    def __init__(self, target: Target, checks: Sequence[Check]) -> None:
        assert target.architecture is not None, "options have no checks"
        self.architecture = target.architecture
        self.checks = checks
        self.n_done = 0
        self.status: Status | None = None
        self.name = max(len(check.name) for check in checks)

    def start(self) -> None:
        """The heading, and on a terminal what is running."""
        console = terminal.rich_console()
        if console.is_terminal:
            self.status = console.status("loading")
            self.status.start()

    def __call__(self, outcome: Outcome) -> None:
        """One line, and details of a failure."""
        _print(_row(outcome, self.name))
        for renderable in _details(outcome, self.architecture):
            _print(renderable)
        self.n_done += 1
        if self.status is not None and self.n_done < len(self.checks):
            following = self.checks[self.n_done].name
            self.status.update(f"{self.n_done + 1} of {len(self.checks)}: {following}")

    def stop(self) -> None:
        if self.status is not None:
            self.status.stop()
            self.status = None


@contextmanager
def progress(target: Target, checks: Sequence[Check]) -> Iterator[Progress]:
    """What is shown while an architecture is checked."""
    shown = Progress(target, checks)
    shown.start()
    try:
        yield shown
    finally:
        shown.stop()


def heading(target: Target) -> None:
    """Which target the lines below are about."""
    from rich.text import Text

    found = target.architecture
    what = f"the architecture {found.name}" if found else f"the options of {target.text}"
    place = f" ({_short(found.folder)})" if found else ""
    _print(Text.assemble((what, "bold"), (place, "dim"), "\n"))


def result(one: Result) -> None:
    """The result for one target: counts, or its problems."""
    from rich.text import Text

    for i, problem in enumerate(one.problems):
        _print(_labelled(_said(problem), above=min(i, 1)))
    if one.findings:
        scan.findings(one.findings)
    if one.outcomes:
        counts: Counter[str] = Counter(outcome.status for outcome in one.outcomes)
        parts: list[str | tuple[str, str]] = []
        for status, style in STYLES.items():
            if counts[status]:
                words = "do not apply" if status == "does not apply" else status
                words = status if counts[status] == 1 else words
                parts += [", " if parts else "", (f"{counts[status]} {words}", style)]
        gap = "" if one.outcomes[-1].status == "failed" else "\n"  # details end with one
        _print(Text.assemble(gap, *parts, f", in {_seconds(one.seconds)}"))
    elif one.problems:
        n = len(one.problems)
        _print(Text(f"\n{n} {'mistake' if n == 1 else 'mistakes'}", STYLES["failed"]))
    _print(Text())


@contextmanager
def standard_output_is_json() -> Iterator[None]:
    """All other output goes to standard error while the block runs."""
    console = terminal.rich_console()
    before, console.stderr = console.stderr, True
    try:
        yield
    finally:
        console.stderr = before


def as_json(results: Sequence[Result]) -> None:
    """All results, for programs."""
    content = {"passed": all(one.passed for one in results), "targets": list(map(_data, results))}
    terminal.done(json.dumps(content, indent=2, ensure_ascii=False))


def _data(one: Result) -> dict[str, Any]:
    found = one.target.architecture
    data: dict[str, Any] = {
        "target": one.target.text,
        "kind": one.target.kind,
        "passed": one.passed,
        "seconds": round(one.seconds, 3),
        "problems": [problem._asdict() for problem in one.problems],
    }
    if found is None:
        data["findings"] = [scan.data(finding) for finding in one.findings]
    else:
        data |= {"name": found.name, "folder": str(found.folder)}
        data["checks"] = [_check_data(outcome, found.folder.resolve()) for outcome in one.outcomes]
    return data


def _check_data(outcome: Outcome, folder: Path) -> dict[str, Any]:
    from mtt.checking import place

    return {
        "check": outcome.check.name,
        "status": outcome.status,
        "message": outcome.message,
        "measured": outcome.measured,
        "meaning": outcome.meaning,
        "look": outcome.look,
        "place": place(outcome, folder),
        "seconds": round(outcome.seconds, 3),
    }


# ------------------------------------------------------------------------- lines


def _row(outcome: Outcome, name_width: int) -> RenderableType:
    """The promise, the outcome, the time."""
    from rich.table import Table
    from rich.text import Text

    others = 2 + 14 + 2 + 8  # of the columns behind the name, with the gaps
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=max(min(name_width, _width() - others), 10))
    table.add_column(width=14)
    table.add_column(width=8, justify="right")
    table.add_row(
        Text(outcome.check.name),
        Text(outcome.status, STYLES[outcome.status]),
        Text(_seconds(outcome.seconds), "dim"),
    )
    return table


def _details(outcome: Outcome, found: Found) -> Iterator[RenderableType]:
    from mtt.checking import place

    if outcome.failure is not None:
        lines = [line for problem in outcome.failure.problems for line in _said(problem)]
        lines = [line for line in lines if line != ("where", found.name)]  # as the heading says
        at = place(outcome, found.folder.resolve())
        # where the architecture's own code raised something, the line says more
        advice = [("at", at)] if at else [("means", outcome.meaning), ("look", outcome.look)]
        yield _labelled([*lines, *advice], below=1)
    elif outcome.message or outcome.measured:
        yield _labelled([("why", outcome.message), ("found", outcome.measured)])


def _said(problem: Problem) -> list[tuple[str, str]]:
    return [("where", problem.where), ("what", problem.what), ("hint", problem.hint)]


def _labelled(lines: Sequence[tuple[str, str]], above: int = 0, below: int = 0) -> RenderableType:
    """Indented texts that wrap behind their labels; empty ones are left out.

    :param above: empty lines above, and ``below`` below.
    """
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=5)
    table.add_column(width=max(_width() - 4 - 5 - 2, 20), overflow="fold")
    for label, text in lines:
        if text:
            table.add_row(Text(label, "dim"), Text(text))
    return Padding(table, (above, 0, below, 4))


def _print(renderable: RenderableType) -> None:
    terminal.rich_console().print(renderable, highlight=False)


def _width() -> int:
    return min(int(terminal.rich_console().width), WIDEST)


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 9.95 else f"{value:.2f} s"


def _short(folder: Path) -> str:
    """Relative to the working folder, if it is below it."""
    from pathlib import Path

    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)

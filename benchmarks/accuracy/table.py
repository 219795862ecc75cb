"""Markdown tables of results; they show what the files of results hold, and nothing else."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import results
from results import Result

Value = Callable[[Result], float | None]


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    :param digits: after the point.
    """

    title: str
    value: Value
    digits: int = 0


@dataclass(frozen=True)
class Reference:
    """Numbers of others, published somewhere, as a line of a table.

    :param values: by title of the column, the rest is not known.
    """

    name: str
    data: str
    values: dict[str, float]

    def row(self, columns: Sequence[Column]) -> str:
        """The line."""
        cells = [cell([self.values.get(column.title)], column.digits) for column in columns]
        return f"| {self.name} | {self.data} | – | {' | '.join(cells)} | – |"


def error(part: str, name: str) -> Value:
    """A number of ``Result.errors``, as ``error("validation", "forces_rmse")``."""
    return lambda result: result.errors.get(part, {}).get(name)


def of_epoch(which: str, name: str) -> Value:
    """A number of the ``best epoch`` or of the ``last epoch`` of a training."""
    return lambda result: result.extra.get(which, {}).get(name)


OFFSET = Column("training offset, meV/atom", error("train", "energy_per_atom_mean"), 3)
OFFSET_NOTE = (
    "The training offset is the mean error of the energies of the training structures, "
    "predictions minus labels."
)
TRAINING = (
    Column("trained on", lambda r: r.n_train),
    Column("parameters", lambda r: r.parameters),
    Column("wall s", lambda r: r.seconds),
    Column("epochs", lambda r: r.epochs),
    Column("structures/s", lambda r: r.structures_per_second),
    Column("peak MB", lambda r: r.peak_mb),
)


def cell(values: Sequence[float | None], digits: int) -> str:
    """The mean over seeds, with the sample standard deviation of two or more."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    mean = f"{statistics.fmean(known):.{digits}f}"
    return mean if len(known) == 1 else f"{mean} ± {statistics.stdev(known):.{digits}f}"


def rows(group: list[Result], columns: Sequence[Column]) -> list[str]:
    """The lines of one kind of run: one with its numbers, or one with the reason it failed."""
    first = group[0]
    head = f"| {first.model_name} | {first.data} | {first.budget} |"
    worked = [result for result in group if result.failed is None]
    if not worked:
        return [f"{head} failed: {reason(first)} |" + " |" * len(columns)]
    cells = [cell([column.value(one) for one in worked], column.digits) for column in columns]
    seeds = ", ".join(str(one.seed) for one in sorted(worked, key=lambda one: one.seed))
    return [f"{head} {' | '.join([*cells, seeds])} |"]


def reason(result: Result) -> str:
    """Why it failed, on one line, without what would end a cell."""
    assert result.failed is not None
    lines = [line.strip() for line in result.failed.splitlines() if line.strip()]
    text = lines[0] if len(lines) < 2 else f"{lines[0]} … {lines[-1]}"
    return text.replace("|", "\\|")[:300]


def shown(table: str, folder: Path) -> list[Result]:
    """The results of a table in ``folder`` that count."""
    return results.current(results.load(folder, table))


def markdown(
    title: str,
    found: list[Result],
    columns: Sequence[Column],
    notes: str = "",
    references: Sequence[Reference] = (),
) -> str:
    """A table for every machine, and what was run for each of its lines.

    :param references: stand at the end of every table.
    """
    listed = sorted(
        results.current(found),
        key=lambda r: (r.processor, r.threads, r.data, r.minutes or 0.0, r.model_name),
    )
    lines = [f"# {title}", "", *([notes, ""] if notes else [])]
    machines = itertools.groupby(listed, key=lambda r: (r.processor, r.threads))
    for (processor, threads), here in machines:
        lines += [f"## {processor}; {threads} threads", ""]
        lines += [f"| model | data | minutes | {' | '.join(c.title for c in columns)} | seeds |"]
        lines += ["|---" * (len(columns) + 4) + "|"]
        for _, group in itertools.groupby(here, key=results.kind):
            lines += rows(list(group), columns)
        lines += [*(one.row(columns) for one in references), ""]
    lines += ["## Runs", ""]
    for result in listed:
        lines += details(result)
    return "\n".join(lines).rstrip() + "\n"


def details(result: Result) -> list[str]:
    """Everything that is needed to do a run again."""
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    lines = [
        f"### {result.stem}", "",
        f"- {result.date}, {result.processor}, {result.threads} threads, seed {result.seed}",
        f"- {versions or 'versions: not known'}",
        f"- `{result.command}`" if result.command else "- not started",
    ]  # fmt: skip
    if result.extra:
        lines.append(f"- `{json.dumps(result.extra)}`")
    if result.failed is not None:
        lines += ["", "```text", result.failed.strip(), "```"]
    if result.hypers:
        lines += ["", "```yaml", result.hypers.strip(), "```"]
    return [*lines, ""]


def write(
    table: str,
    title: str,
    columns: Sequence[Column],
    folder: Path,
    notes: str = "",
    references: Sequence[Reference] = (),
) -> Path:
    """Render ``<table>.md`` from all results of the table in ``folder``."""
    path = folder / f"{table}.md"
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(title, results.load(folder, table), columns, notes, references)
    path.write_text(text, encoding="utf-8")
    return path

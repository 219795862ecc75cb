"""Lists of runs, for terminals of any width."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mtt.cli.render.quantities import number
from mtt.cli.render.terminal import done, paragraph, rich_console
from mtt.evaluation.quantities import is_extended
from mtt.report.differences import MISSING, divided, in_short

_LONGEST = 40  # characters of an option
_MOST_OPTIONS = 8  # of a run
_MOST_ERRORS = 4  # of a run, where a line does not have room for all
_INDENT = "  "


def listed(found: Mapping[str, Any]) -> None:
    """One run after the other: a line each where they fit, else some lines.

    :param found: what :func:`mtt.workflows.reporting.listing.list_runs` returns.
    """
    runs, whole = found["runs"], found["found"]
    more = whole - len(runs)
    done(f"{found['folder']}: {whole:,} {'run' if whole == 1 else 'runs'}")
    if more:
        done(f"the newest {len(runs)} of them; --all lists {more:,} more")
    options = [*map(_joined, _options(runs))]
    names = list(dict.fromkeys(name for run in runs for name in _errors(run)))
    several = len({run["architecture"] for run in runs}) > 1
    columns = ["run", "state", "epoch", "time", "errors of", *names]
    rows = [_row(run, names) for run in runs]
    if several:
        for row, name in zip(
            [columns, *rows], ["architecture", *map(_architecture, runs)], strict=True
        ):
            row.insert(1, name)
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    if sum(widths) + 2 * len(widths) > rich_console().width:
        for run, text in zip(runs, options, strict=True):
            _block(run, text)
        return
    for row, text in zip([columns, *rows], ["", *options], strict=True):
        pairs = zip(row, widths, strict=True)
        done("  ".join(cell.ljust(width) for cell, width in pairs).rstrip())
        paragraph(text, _INDENT * 2)


def progress(run: Mapping[str, Any]) -> str:
    """``finished, ARCHITECTURE, 2 of 2 epochs, 14 s``."""
    parts = [run["state"], run["architecture"] or "", _epochs(run, " epoch")]
    parts.append("" if run["seconds"] is None else _time(run["seconds"]))
    return ", ".join(part for part in parts if part)


def _block(run: Mapping[str, Any], options: str) -> None:
    done(run["run"])
    paragraph(progress(run), _INDENT)
    errors = [
        f"{name} {'-' if value is None else number(value)}" for name, value in _errors(run).items()
    ]
    if errors:
        more = len(errors) - _MOST_ERRORS
        words = [*errors[:_MOST_ERRORS], *([f"{more} more in --json"] if more > 0 else [])]
        paragraph(f"{run['part']}: {', '.join(words)}", _INDENT)
    paragraph(options, _INDENT)


def _errors(run: Mapping[str, Any]) -> dict[str, float | None]:
    """Of whole quantities: no components, no elements; energies once, per atom."""
    return {
        name: value
        for name, value in run["errors"].items()
        if " total " not in name and not is_extended(name.partition(" (")[0])
    }


def _row(run: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    errors = [run["errors"].get(name) for name in names]
    return [
        run["run"],
        run["state"],
        _epochs(run) or "-",
        "-" if run["seconds"] is None else _time(run["seconds"]),
        run["part"] or "-",
        *("-" if value is None else number(value) for value in errors),
    ]


def _options(runs: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """Of each run ``model.cutoff=4.5``: the targets, if they differ, and options that the runs
    have different values of."""
    keys = dict.fromkeys(key for run in runs for key in run["options"])
    rows = {key: [run["options"].get(key, MISSING) for run in runs] for key in keys}
    differ, _ = divided(rows, [run["architecture"] for run in runs])
    differ.pop("architecture.name", None)  # which is shown of each run
    how_often = {key: Counter(row) for key, row in differ.items()}
    several = len({tuple(run["targets"]) for run in runs}) > 1
    for i, run in enumerate(runs):
        targets = [f"targets={'+'.join(run['targets'])}"] if several and run["targets"] else []
        own = [(key, row[i]) for key, row in differ.items() if row[i] != MISSING]
        own.sort(key=lambda pair: how_often[pair[0]][pair[1]])  # what is rare comes first
        values = [
            f"{key.removeprefix('architecture.')}={in_short(value, _LONGEST)}" for key, value in own
        ]
        yield [*targets, *values]


def _joined(words: Sequence[str]) -> str:
    more = len(words) - _MOST_OPTIONS
    return ", ".join([*words[:_MOST_OPTIONS], *([f"{more} more in --json"] if more > 0 else [])])


def _architecture(run: Mapping[str, Any]) -> str:
    return run["architecture"] or "-"


def _epochs(run: Mapping[str, Any], unit: str = "") -> str:
    if run["epoch"] is None:
        return ""
    total = run["num_epochs"]
    last = run["epoch"] if total is None else total
    many = "s" if unit and last != 1 else ""
    return f"{run['epoch']}{'' if total is None else f' of {total}'}{unit}{many}"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"

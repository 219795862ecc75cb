"""Runs side by side, and lists of runs, for terminals of any width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mtt.cli.render.quantities import number
from mtt.cli.render.terminal import done, rich_console, table
from mtt.report.differences import in_short
from mtt.report.several.same_sets import letter

_MOST_OPTIONS = 60  # rows
_LONGEST = 40  # characters of an option in a list
_INDENT = "  "


def compared(found: Mapping[str, Any]) -> None:
    """Runs by number, their errors, and the options that differ.

    :param found: what :func:`mtt.workflows.reporting.compare.compare` returns.
    """
    runs = found["runs"]
    for i, run in enumerate(runs, start=1):
        done(f"{i}  {run['folder']}: {_progress(run)}")
        for text in run["missing"]:
            _wrapped(text, _INDENT * 2)
    for text in found["notes"]:
        _wrapped(f"note: {text}", "")
    columns = ["", *(str(i) for i in range(1, len(runs) + 1)), "best"]
    for part, errors in found["errors"].items():
        done(f"\nerrors on the {part} set:")
        rows = [_error_row(name, one) for name, one in errors.items()]
        table(columns, [*_set_row(part, found["sets"][part]), *rows])
    if not found["errors"]:
        done("\nno run has errors yet")
    options = list(found["options"].items())
    done("\noptions that differ:" if options else "\nall options are the same")
    if options:
        rows = [[key, *map(in_short, row)] for key, row in options[:_MOST_OPTIONS]]
        table(["", *columns[1:-1]], rows)
    if len(options) > _MOST_OPTIONS:
        done(f"and {len(options) - _MOST_OPTIONS} more; --json has all")


def listed(found: Mapping[str, Any]) -> None:
    """One run after the other: a line each where they fit, else some lines.

    :param found: what :func:`mtt.workflows.reporting.listing.list_runs` returns.
    """
    runs, whole = found["runs"], found["found"]
    more = whole - len(runs)
    done(f"{found['folder']}: {whole:,} {'run' if whole == 1 else 'runs'}")
    if more:
        done(f"the newest {len(runs)} of them; --all lists {more:,} more")
    names = list(dict.fromkeys(name for run in runs for name in run["errors"]))
    names = [name for name in names if " total " not in name]
    columns = ["run", "state", "epoch", "time", "errors of", *names]
    rows = [_list_row(run, names) for run in runs]
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    if sum(widths) + 2 * len(widths) > rich_console().width:
        _blocks(runs)
        return
    for row, run in zip([columns, *rows], [None, *runs], strict=True):
        pairs = zip(row, widths, strict=True)
        done("  ".join(cell.ljust(width) for cell, width in pairs).rstrip())
        if run is not None and run["options"]:
            _wrapped(", ".join(_options(run)), _INDENT * 2)


def _blocks(runs: Sequence[Mapping[str, Any]]) -> None:
    for run in runs:
        done(run["run"])
        _wrapped(_progress(run), _INDENT)
        errors = [
            f"{name} {'-' if value is None else number(value)}"
            for name, value in run["errors"].items()
            if " total " not in name
        ]
        if errors:
            _wrapped(f"{run['part']}: {', '.join(errors)}", _INDENT)
        if run["options"]:
            _wrapped(", ".join(_options(run)), _INDENT)


def _list_row(run: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    errors = [run["errors"].get(name) for name in names]
    return [
        run["run"],
        run["state"],
        _epochs(run) or "-",
        "-" if run["seconds"] is None else _time(run["seconds"]),
        run["part"] or "-",
        *("-" if value is None else number(value) for value in errors),
    ]


def _options(run: Mapping[str, Any]) -> Iterator[str]:
    """``model.cutoff=4.5``: the key, and a value that is not too long."""
    for key, value in run["options"].items():
        text = in_short(value, _LONGEST)
        yield f"{key.removeprefix('architecture.')}={text}"


def _progress(run: Mapping[str, Any]) -> str:
    parts = [run["state"], run["architecture"] or "", _epochs(run, " epochs")]
    parts.append("" if run["seconds"] is None else _time(run["seconds"]))
    return ", ".join(part for part in parts if part)


def _epochs(run: Mapping[str, Any], unit: str = "") -> str:
    if run["epoch"] is None:
        return ""
    total = "" if run["num_epochs"] is None else f" of {run['num_epochs']}"
    return f"{run['epoch']}{total}{unit}"


def _error_row(name: str, one: Mapping[str, Any]) -> list[str]:
    cells = ["-" if value is None else number(value) for value in one["values"]]
    return [name, *cells, ", ".join(str(best + 1) for best in one["winners"])]


def _set_row(part: str, numbers: Sequence[int | None]) -> Iterator[list[str]]:
    """Which runs are scored on the same structures, where not all are."""
    if len({one for one in numbers if one is not None}) > 1:
        yield [f"{part} set", *("-" if one is None else letter(one) for one in numbers), ""]


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _wrapped(text: str, indent: str) -> None:
    lines = textwrap.wrap(
        text,
        rich_console().width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in lines:
        done(line)

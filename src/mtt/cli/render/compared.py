"""Runs side by side, for terminals of any width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mtt.cli.render.quantities import number
from mtt.cli.render.run_list import progress
from mtt.cli.render.terminal import done, paragraph, rich_console, table
from mtt.evaluation.quantities import is_extended
from mtt.report.differences import divided, in_short
from mtt.report.markup import plural
from mtt.report.several.same_sets import letter

_MOST_OPTIONS = 60  # rows
_INDENT = "  "


def compared(found: Mapping[str, Any]) -> None:
    """Runs by number, their errors, and the options that differ.

    :param found: what :func:`mtt.workflows.reporting.compare.compare` returns.
    """
    runs = found["runs"]
    for i, run in enumerate(runs, start=1):
        head, rest = f"{i}  {run['folder']}:", progress(run)
        if len(head) + 1 + len(rest) > rich_console().width:
            done(head)
            paragraph(rest, _INDENT * 2)
        else:
            done(f"{head} {rest}")
        for text in run["missing"]:
            paragraph(text, _INDENT * 2)
    for text in found["notes"]:
        paragraph(f"note: {text}", "")
    columns = ["", *(str(i) for i in range(1, len(runs) + 1)), "best"]
    for part, errors in found["errors"].items():
        done(f"\nerrors on the {part} set:")
        whole = [name for name in errors if not is_extended(name.partition(" (")[0])]
        rows = [_error_row(name, errors[name]) for name in whole]
        table(columns, [*_set_row(part, found["sets"][part]), *rows])
        if len(whole) < len(errors):
            more = len(errors) - len(whole)
            done(f"and {more} errors of components and elements; --json has all")
    if not found["errors"]:
        done("\nno run has errors yet")
    _options(found)


def _options(found: Mapping[str, Any]) -> None:
    differ, partly = divided(found["options"], [run["architecture"] for run in found["runs"]])
    if not found["options"]:
        done("\nall options are the same")
        return
    rows = [[key, *map(in_short, row)] for key, row in [*differ.items()][:_MOST_OPTIONS]]
    if rows:
        done("\noptions that differ:")
    columns = ["", *(str(i) for i in range(1, len(found["runs"]) + 1))]
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    if sum(widths) + 3 * len(widths) + 2 <= rich_console().width:
        table(columns, rows)
    else:
        for key, *row in rows:
            paragraph(key, _INDENT)
            paragraph("; ".join(_by_value(row)), _INDENT * 3)
    if len(differ) > len(rows):
        done(f"and {len(differ) - len(rows)} more; --json has all")
    if partly:
        text = "that only some of the runs have, of their architecture, targets or data"
        paragraph(f"and {plural(len(partly), 'option')} {text}; --json has all", "")


def _by_value(row: Sequence[str]) -> Iterator[str]:
    """``4.5 in 1, 2``: each value with the runs that have it."""
    for value in dict.fromkeys(row):
        runs = ", ".join(str(i) for i, one in enumerate(row, start=1) if one == value)
        yield f"{value} in {runs}"


def _error_row(name: str, one: Mapping[str, Any]) -> list[str]:
    cells = ["-" if value is None else number(value) for value in one["values"]]
    return [name, *cells, ", ".join(str(best + 1) for best in one["winners"])]


def _set_row(part: str, numbers: Sequence[int | None]) -> Iterator[list[str]]:
    """Which runs are scored on the same structures, where not all are."""
    if len({one for one in numbers if one is not None}) > 1:
        yield [f"{part} set", *("-" if one is None else letter(one) for one in numbers), ""]

"""Everything that the command line prints: with colours and progress on a terminal, else plain."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from mtt._version import __version__
from mtt.cli.render.quantities import (
    labelled,
    names_of_errors,
    names_of_labels,
    number,
)

if TYPE_CHECKING:
    from mtt.data.statistics import Statistics
    from mtt.evaluation import Report
    from mtt.workflows.evaluate import EvaluatedSet


NO_UNIT = "unit not given"
_OF_STATISTICS = 78  # columns of a terminal, below which numbers would be cut in two
_OPTIONS = ("model_hypers", "train_hypers", "options")


def setup(debug: bool) -> None:
    """Show what mtt logs: on the terminal, above any progress display."""
    _quiet.clear()
    logger = logging.getLogger("mtt")
    logger.setLevel(logging.DEBUG)
    if not any(isinstance(handler, _Console) for handler in logger.handlers):
        logger.addHandler(_Console())
    for handler in logger.handlers:
        if isinstance(handler, _Console):
            handler.setLevel(logging.DEBUG if debug else logging.INFO)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a file may hold text that no encoding has: one half of a surrogate pair
        sys.stdout.reconfigure(errors="backslashreplace")


def set_quiet(quiet: bool) -> None:
    """Print results, warnings and errors alone, until :func:`setup`."""
    if quiet:
        _quiet.append(True)


def is_quiet() -> bool:
    """Whether ``--quiet`` was given."""
    return bool(_quiet)


_quiet: list[bool] = []


def error(message: str) -> None:
    """An error, on standard error; in lines that fit a terminal."""
    start = "error: "
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        message = "\n".join(_hanging(line, width) for line in f"{start}{message}".split("\n"))
        message = message.removeprefix(start)
    click.echo(click.style(start, fg="red", bold=True, reset=True) + message, err=True)


def plain(text: str) -> None:
    """Text as it is, on standard error."""
    click.echo(text, err=True)


def begin(what: str, *, logged: bool = False) -> None:
    """A first line, before imports that take seconds.

    :param logged: on standard output, as all that is logged; else on standard error, and only
        where that is a terminal.
    """
    if (logged or sys.stderr.isatty()) and not is_quiet():
        click.echo(f"mtt {__version__}: {what}", err=not logged)


def at_once(text: str) -> None:
    """A line on standard error, past all buffers: from the handler of a signal."""
    with suppress(OSError):
        os.write(2, f"{text}\n".encode())


def nothing(text: str) -> None:
    """What :func:`at_once` is on ranks that the first one speaks for."""


def done(message: str) -> None:
    """The result of a command, on standard output."""
    click.echo(message)


def said(text: str) -> None:
    """A sentence on standard output, in lines that fit a terminal; an indented one stays so."""
    console = rich_console()
    click.echo(_hanging(text, int(console.width)) if console.is_terminal else text)


def paragraph(text: str, indent: str) -> None:
    """Indented lines on standard output, as wide as the terminal; none for no text."""
    lines = textwrap.wrap(
        text,
        rich_console().width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in lines:
        click.echo(line)


def mapping(values: Mapping[str, Any], as_json: bool = False) -> None:
    """Nested names and values, indented, without those that are not known; or JSON."""
    if as_json:
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
        return
    console = rich_console()
    for line in _lines(values, 0):
        click.echo(_hanging(line, int(console.width)) if console.is_terminal else line)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table; the first column is text, the others are numbers."""
    from rich import box
    from rich.table import Table

    rows = list(rows)

    def made(narrow: bool) -> Table:
        # without its frame and with one blank between columns; what is wider still is folded
        style: dict[str, Any] = {"box": None, "padding": (0, 1, 0, 0)} if narrow else {}
        shown = Table(**{"box": box.SIMPLE_HEAD, **style})
        for i, name in enumerate(columns):
            justify: Any = "right" if i else "left"
            shown.add_column(name, justify=justify, no_wrap=not narrow, overflow="fold")
        for row in rows:
            shown.add_row(*row)
        return shown

    console = rich_console()
    wide = made(narrow=False)
    options = console.options.update(max_width=sys.maxsize)
    fits = bool(console.measure(wide, options=options).maximum <= console.width)
    console.print(wide if fits else made(narrow=True))


def statistics(name: str, values: Statistics) -> None:
    """Statistics of a data set: one row per kind of label."""
    from mtt.data.statistics import as_fine_as

    least, mean, most = values.atoms_per_structure
    elements = ", ".join(f"{symbol} {count}" for symbol, count in values.elements.items())
    size = f"{mean:.4g}" if least == most else f"{least} to {most}, on average {mean:.4g}"
    said(f"{name}: {values.n_structures:,} structures of {size} atoms ({elements})")
    without = not any(row.unit for row in values.rows)
    if without and values.rows:
        done(f"unit not given: {', '.join(dict.fromkeys(row.name for row in values.rows))}")
    shown: tuple[str, ...] = ("mean", "std", "min", "max")
    if rich_console().width < _OF_STATISTICS:
        shown = shown[:2]
    rows = [
        [
            title,
            *([] if without else [row.unit or "not given"]),
            labelled(row, values),
            *(as_fine_as(getattr(row, name), row.std) for name in shown),
        ]
        for row, title in zip(values.rows, names_of_labels(values.rows), strict=True)
    ]
    if rows:
        units = [] if without else ["unit"]
        table(["", *units, "structures", *shown], rows)


def errors(name: str, report: Report) -> None:
    """Errors of predictions: one row per quantity, over all numbers that have a label."""
    done(f"errors on {name}:")
    extended = any(row.maximum is not None for row in report.rows)
    rows = []
    titles = names_of_errors([row.quantity for row in report.rows])
    for row, title in zip(report.rows, titles, strict=True):
        values = [row.rmse, row.mae, *([] if row.maximum is None else [row.maximum])]
        rows.append([title, *map(number, values), row.unit or NO_UNIT, f"{row.count:,}"])
    table(["", "RMSE", "MAE", *(["largest"] if extended else []), "unit", "components"], rows)
    for name, value in report.cosines.items():
        done(f"mean {name}: {value:.6g} (1 - {1 - value:.3g})")


def evaluation(one: EvaluatedSet) -> None:
    """The errors that ``mtt eval`` found of a data set, and the files that it wrote."""
    if one.report.rows:
        errors(one.name, one.report)
    if is_quiet():
        return
    timing = one.report.timing
    said(
        f"{one.name}: {timing.n_structures} structures in {timing.seconds:.2f} s, "
        f"{timing.ms_per_structure:.3g} ms per structure, {timing.ms_per_atom:.3g} per atom"
    )
    for path in (one.output, one.table):
        if path is not None:
            done(f"wrote {path}")


def _lines(values: Mapping[str, Any], depth: int, whole: bool = False) -> Iterator[str]:
    """One line for each value; all of them where an option may be null (``whole``)."""
    for key, value in values.items():
        indent = "  " * depth
        if not whole and (value is None or value == "" or value == [] or value == {}):
            continue
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:"
            yield from _lines(value, depth + 1, whole or key in _OPTIONS)
        else:
            yield f"{indent}{key}: {_cell(value)}"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return "null" if value is None else str(value)


class _Console(logging.Handler):
    """Log records as plain lines; warnings are marked.

    With ``--quiet`` records with ``extra={"result": True}`` are shown, and warnings.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if is_quiet() and record.levelno < logging.WARNING and not hasattr(record, "result"):
            return
        prefix = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        console = rich_console()
        text = prefix + record.getMessage()
        if console.is_terminal:
            text = _for_terminal(record, text, int(console.width))
            if not text:  # shown with a line before
                return
        console.print(text, highlight=False, markup=False, soft_wrap=True)


def _for_terminal(record: logging.LogRecord, text: str, width: int) -> str:
    """``text`` in lines that fit; files and pipes get it whole."""
    if isinstance(record.args, tuple) and len(record.args) == 1:
        # lines of epochs know how to be narrower
        fitted = getattr(record.args[0], "fitted", None)
        if fitted is not None:
            return str(fitted(width))
    if record.levelno < logging.INFO or "\n" in text:
        return text
    # a path that is wider than the terminal stays whole, to be copied
    return _wrapped(text, width)


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False))


def _hanging(line: str, width: int) -> str:
    """A line that is cut between words only; what is left of it is indented by two more."""
    if len(line) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(
        line,
        width,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


_shared: list[Any] = []


def rich_console() -> Any:
    """One rich console for everything, so that log lines are above the progress."""
    if not _shared:
        from rich.console import Console

        _shared.append(Console())
    return _shared[0]

"""Lines that are logged whole, and that a terminal may ask for in its own width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

GAP = "  "


class Field(NamedTuple):
    """A part of a line.

    :param text: may be broken at its blanks where it alone is wider than the terminal.
    :param is_extra: left out where the line does not fit.
    """

    text: str
    is_extra: bool = False


class FieldLine:
    """Fields one after the other; as text the whole line, however long."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = fields

    def __str__(self) -> str:
        return GAP.join(field.text for field in self._fields)

    def fitted(self, width: int) -> str:
        """The line in lines of at most ``width`` columns, those after the first one indented.

        Extra fields are left out where the whole does not fit; a word that is wider than the
        terminal is broken.
        """
        whole = str(self)
        if len(whole) <= width:
            return whole
        indent = " " * min(len(self._fields[0].text) + len(GAP), max(width // 4, 1))
        lines = [""]
        for field in self._fields:
            if not field.is_extra:
                _add(lines, field.text, GAP, indent, width)
        return "\n".join(lines)


class TableLine:
    """A row of cells in columns; as text the whole row.

    :param rows: what a terminal shows for it, in blocks of columns: the row alone, all lines of a
        header for the first one of them, or nothing for those that were shown with the first.
    :param end: text behind the last column.
    """

    def __init__(
        self,
        cells: Sequence[str],
        widths: Sequence[int],
        end: str = "",
        rows: Sequence[Sequence[str]] | None = None,
    ) -> None:
        self._cells, self._widths, self._end = cells, widths, end
        self._rows = [cells] if rows is None else rows

    def __str__(self) -> str:
        return self._joined(self._cells, range(len(self._cells)))

    def fitted(self, width: int) -> str:
        """The rows in blocks of whole columns, each begun by the first column: the epoch."""
        first, *others = range(len(self._cells))
        blocks = [[first]]
        for i in others:
            taken = sum(self._widths[k] + len(GAP) for k in [*blocks[-1], i]) - len(GAP)
            if taken > width and len(blocks[-1]) > 1:
                blocks.append([first])
            blocks[-1].append(i)
        lines = [self._joined(row, block) for block in blocks for row in self._rows]
        if lines and len(lines[-1]) > width:
            lines[-1:] = [lines[-1].removesuffix(self._end), self._end.strip()]
        return "\n".join(lines)

    def _joined(self, row: Sequence[str], columns: Sequence[int]) -> str:
        cells = (f"{row[i]:>{self._widths[i]}}" for i in columns)
        is_last = columns[-1] == len(row) - 1
        return (GAP.join(cells) + self._end * is_last).rstrip()


def _add(lines: list[str], text: str, gap: str, indent: str, width: int) -> None:
    """Append ``text`` to the last line where it fits, else to new ones."""
    last = lines[-1]
    before = last + gap if last.strip() else last
    if len(before) + len(text) <= width:
        lines[-1] = before + text
    elif last.strip():
        lines.append(indent)
        _add(lines, text, gap, indent, width)
    elif " " in text:
        for word in text.split(" "):
            _add(lines, word, " ", indent, width)
    else:  # a single word on its line
        room = max(width - len(last), 1)
        lines[-1] = last + text[:room]
        if text[room:]:
            lines.append(indent)
            _add(lines, text[room:], gap, indent, width)

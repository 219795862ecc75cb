"""A reader of (extended) XYZ files: faster than ASE's, and it knows the line.

The format is that of https://github.com/libAtoms/extxyz, as ASE reads it: ``key=value`` pairs
on the comment line, columns named by ``Properties``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple, TextIO

import numpy as np
from ase.data import atomic_numbers

from mtt.data.files.raw_frame import RawFrame
from mtt.data.files.reader_kind import UnusualFormatError
from mtt.data.files.unpack import open_text, share_read
from mtt.data.findings import listed
from mtt.data.frames import Float
from mtt.errors import DataError, Problem, did_you_mean
from mtt.progress import watched
from mtt.stopping import stop_if_asked

_PIECE = r"""\\.|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|\{(?:\\.|[^}\\])*\}?|\[(?:\\.|[^]\\])*\]?"""
_ITEM = re.compile(
    rf"""((?:[^\s='"{{\[\\]+|{_PIECE})+)"""  # the key
    rf"""(?:\s*=\s*((?:[^\s'"{{\[\\]+|{_PIECE})*))?"""  # its value; a key alone is a flag
)
_PARTS = re.compile(rf"""{_PIECE}|[^'"{{\[\\]+""")
_MARK = re.compile(r"""["'{[\\]""")
_TRUE = ("T", "t", "true", "True", "TRUE", "1")
_FALSE = ("F", "f", "false", "False", "FALSE", "0")
_FLAGS = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
_PLAIN = "species:S:1:pos:R:3"
# columns of one meaning; "numbers" is ASE's name of "Z"
_KNOWN = {"species": ("S", 1), "Z": ("IR", 1), "numbers": ("IR", 1), "pos": ("R", 3)}
_MAX_WIDTH = 100_000  # columns of an atom; a zero-atom frame could declare any number
_DIGITS = 15  # of a number of atoms; more would be petabytes


class _FrameError(Exception):
    """A mistake in a line of a frame (line 0: the number of atoms).

    Of mistakes of one ``kind``, the first one is said, with the number of the others.
    """

    def __init__(self, what: str, line: int, hint: str = "", kind: str = "") -> None:
        super().__init__(what)
        self.line = line
        self.hint = hint
        self.kind = kind or what


def read_extxyz(path: str) -> list[RawFrame]:
    """All frames of ``path`` (may be compressed: ``.gz``, ``.bz2``, ``.xz``).

    :raises DataError: names frame and line of everything that cannot be read.
    :raises UnusualFormatError: for ``VEC`` lines; ASE reads those.
    """
    frames: list[RawFrame] = []
    problems: list[Problem] = []
    first: dict[str, str] = {}
    with open_text(path) as stream:
        try:
            there = watched(_chunks(stream), f"reading {path}", share_read(path, stream))
            for index, (line, rows) in enumerate(there):
                stop_if_asked()
                try:
                    frames.append(_frame(rows, path, index))
                except _FrameError as fault:
                    what = first.setdefault(fault.kind, str(fault))
                    problems.append(_problem(path, index, line, fault)._replace(what=what))
        except _FrameError as fault:
            problems.append(_problem(path, len(frames) + len(problems), 0, fault))
        except UnicodeDecodeError as error:
            raise DataError("this is not a text file", where=path) from error
    if problems:
        raise DataError.collect(listed(problems))
    return frames


def _problem(path: str, index: int, line: int, fault: _FrameError) -> Problem:
    return Problem(str(fault), f"{path}:{line + fault.line}, frame {index}", fault.hint)


def _chunks(stream: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Line number of each frame's first line, and its lines without that one."""
    number = 0
    for header in stream:
        number += 1
        text = header.strip().removeprefix("\ufeff")
        if not text:
            continue
        if text.startswith("VEC"):
            raise UnusualFormatError
        if not text.isdecimal() or len(text) > _DIGITS:
            hint = "does the number of atoms of the frame before fit its lines?"
            found = f"expected a number of atoms, found {text[:40]!r}"
            raise _FrameError(found, number, hint if number > 1 else "")
        n_atoms = int(text)
        rows = list(islice(stream, n_atoms + 1))
        if len(rows) < n_atoms + 1:
            what = f"the file ends after {max(len(rows) - 1, 0)} of {n_atoms} atoms"
            raise _FrameError(what, number + len(rows), "was it cut off?")
        yield number, rows
        number += len(rows)


def _frame(rows: list[str], path: str, index: int) -> RawFrame:
    try:
        info = parse_comment(rows[0])
    except ValueError as error:
        kind = str(error).partition(": ")[0]
        raise _FrameError(str(error), 1, "keep the one that is meant", kind) from error
    declared = info.pop("Properties", None)
    if declared and len(rows) == 1:  # as ASE writes it where there are no atoms
        declared = declared.replace("species:R:1", "species:S:1", 1)
    try:
        columns, width = _layout(declared or _PLAIN)
        cell = _cell(info.pop("Lattice", None))
        pbc = _pbc(info.pop("pbc", None), default=bool(cell.any()))
    except ValueError as error:
        raise _FrameError(str(error), 1) from error
    table = _table(rows[1:], width, exact=declared is not None)
    arrays: dict[str, Any] = {c.name: _values(table[c.start : c.stop], c) for c in columns}
    symbols = arrays.pop("species", None)
    numbers = None
    for name in [name for name in ("Z", "numbers") if name in arrays]:
        numbers = _atomic_numbers(arrays.pop(name))
        _check_agreement(name, numbers, symbols)
    if numbers is not None:
        pass  # they agree with the symbols
    elif symbols is not None:
        numbers = _elements(symbols)
    else:
        raise _FrameError("the columns name no elements ('species' or 'Z')", 1)
    positions = arrays.pop("pos", None)
    if positions is None:
        raise _FrameError("the columns hold no positions ('pos')", 1)
    if "charge" in arrays:  # ASE's name of the column
        arrays.setdefault("charges", arrays["charge"])
    return RawFrame(numbers, positions.reshape(-1, 3), cell, pbc, info, arrays, path, index)


def parse_comment(line: str) -> dict[str, str]:
    """``key=value`` pairs; values may be in quotes or brackets, ``\\`` escapes.

    :raises ValueError: a key has two values.
    """
    found: dict[str, str] = {}
    for written, content in _ITEM.findall(line):
        key, value = _bare(written), _bare(content) if content else "T"
        if found.setdefault(key, value) != value:
            raise ValueError(f"the key {key!r} is given twice: {found[key][:40]!r}, {value[:40]!r}")
    return found


def _bare(text: str) -> str:
    if not _MARK.search(text):
        return text
    parts = []
    for part in _PARTS.findall(text):
        if part[0] == "\\":
            parts.append(part[1])
            continue
        if part[0] in "\"'{[":
            closed = len(part) > 1 and part[-1] == {"{": "}", "[": "]"}.get(part[0], part[0])
            part = part[1:-1] if closed else part[1:]
        parts.append(re.sub(r"\\(.)", r"\1", part))
    return "".join(parts)


class _Column(NamedTuple):
    name: str
    kind: str  # R, I, S or L
    start: int
    stop: int


@lru_cache(maxsize=64)
def _layout(properties: str) -> tuple[tuple[_Column, ...], int]:
    fields = properties.split(":")
    columns: list[_Column] = []
    start = 0
    for name, kind, count in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
        if kind not in ("R", "I", "S", "L") or not 0 < _count(count) <= _MAX_WIDTH - start:
            raise ValueError(f"Properties: {name}:{kind}:{count} is not NAME:R|I|S|L:COUNT")
        kinds, width = _KNOWN.get(name, (kind, int(count)))
        if kind not in kinds or int(count) != width:
            raise ValueError(f"Properties: {name}:{kind}:{count} is not {name}:{kinds[0]}:{width}")
        if any(column.name == name for column in columns):
            raise ValueError(f"Properties: the column {name!r} is given twice: rename one")
        columns.append(_Column(name, kind, start, start + int(count)))
        start += int(count)
    if len(fields) % 3:
        raise ValueError(f"Properties has {len(fields)} fields, which is not a multiple of 3")
    return tuple(columns), start


def _count(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else 0


def _cell(lattice: str | None) -> Float:
    if lattice is None:
        return np.zeros((3, 3))
    try:
        return np.array([float(word) for word in lattice.split()]).reshape(3, 3)
    except ValueError as error:
        raise ValueError(f"Lattice is not 9 numbers: {lattice[:60]!r}") from error


def _pbc(text: str | None, default: bool) -> Any:
    if text is None:
        return np.full(3, default)
    flags = [_FLAGS.get(word) for word in text.split()]
    if None in flags or len(flags) not in (1, 3):
        raise ValueError(f"pbc is not one or three of T and F: {text!r}")
    return np.array(flags * (3 // len(flags)), dtype=bool)


def _table(lines: list[str], width: int, exact: bool) -> list[tuple[str, ...]]:
    """Columns of words."""
    rows = [line.split() for line in lines]
    for number, row in enumerate(rows):
        if len(row) != width and (exact or len(row) < width):
            what = f"{len(row)} columns where {width} are expected"
            hint = "do the number of atoms and Properties fit the lines of the frame?"
            raise _FrameError(what, number + 2, hint)
    return list(zip(*rows, strict=False)) or [()] * width


def _values(words: list[tuple[str, ...]], column: _Column) -> Any:
    """``[n_atoms]`` or ``[n_atoms, columns]``; text stays a list of words."""
    if column.kind == "S":
        return (
            list(words[0]) if len(words) == 1 else [list(row) for row in zip(*words, strict=True)]
        )
    convert = (lambda word: float(_FLAGS[word])) if column.kind == "L" else float
    try:
        values = np.array([[convert(word) for word in row] for row in words], dtype=np.float64)
    except (ValueError, KeyError) as error:
        raise _bad_word(words, column, convert) from error
    return values[0] if len(words) == 1 else np.ascontiguousarray(values.T)


def _bad_word(words: list[tuple[str, ...]], column: _Column, convert: Any) -> _FrameError:
    for atom, row in enumerate(zip(*words, strict=True)):
        for word in row:
            try:
                convert(word)
            except (ValueError, KeyError):
                what = f"{word!r} in column {column.name!r} of atom {atom} is not a number"
                fortran = re.fullmatch(r"[-+.\d]+[dD][-+]?\d+", word)
                return _FrameError(what, atom + 2, "write the exponent with E" if fortran else "")
    raise AssertionError("called without a bad word")


def _atomic_numbers(values: Float) -> Any:
    for atom, value in enumerate(values):
        if not (0 <= value < 1000 and value == int(value)):
            raise _FrameError(f"{value:g} is not an atomic number (atom {atom})", atom + 2)
    return values.astype(np.int64)


def _check_agreement(column: str, numbers: Any, symbols: list[str] | None) -> None:
    """Whether ``column`` and ``species`` name the same elements, where both are there."""
    if symbols is None:
        return
    named = _elements(symbols)
    different = np.flatnonzero(numbers != named)
    if len(different):
        atom = int(different[0])
        what = f"atom {atom} is {symbols[atom]!r} in species and {numbers[atom]} in {column}"
        raise _FrameError(what, atom + 2, "leave one of the two columns out, or correct it")


def _elements(symbols: list[str]) -> Any:
    try:
        return np.array([atomic_numbers[symbol] for symbol in symbols], dtype=np.int64)
    except KeyError:
        pass
    numbers = []
    for atom, symbol in enumerate(symbols):
        number = (
            int(symbol)
            if symbol.isdecimal() and len(symbol) < 4
            else atomic_numbers.get(symbol.capitalize())
        )
        if number is None:
            hint = did_you_mean(symbol, atomic_numbers)
            raise _FrameError(f"unknown element {symbol!r} (atom {atom})", atom + 2, hint)
        numbers.append(number)
    return np.array(numbers, dtype=np.int64)

"""Whether a file is extended XYZ, by its first lines, whatever its name."""

from __future__ import annotations

import re
from typing import TextIO

from ase.data import atomic_numbers

from mtt.data.files.unpack import ERRORS, open_text

_LONGEST = 2**20  # characters of a line; longer ones are not of text
_EMPTY = 10  # lines at the beginning that may be empty
_DECLARES = re.compile(r"(?:^|\s)[\"']?(?:Properties|Lattice)[\"']?\s*=", re.IGNORECASE)


def is_extxyz(path: str) -> bool:
    """Whether the first frame of ``path`` begins as one of (extended) XYZ does.

    A number of atoms, and then a line that names ``Properties`` or ``Lattice``, or one of any
    content and an atom: no other format of ASE begins so.
    """
    try:
        with open_text(path) as stream:
            count = _first_line(stream)
            comment = stream.readline(_LONGEST)
            atom = stream.readline(_LONGEST).split()
    except (UnicodeDecodeError, *ERRORS):
        return False
    if not count.isdecimal() or not comment:
        return False
    if _DECLARES.search(comment):
        return True
    return _is_atom(atom)


def _first_line(stream: TextIO) -> str:
    """The first line that is not empty, of the first few."""
    lines = (stream.readline(_LONGEST).removeprefix("\ufeff").strip() for _ in range(_EMPTY))
    return next((line for line in lines if line), "")


def _is_atom(words: list[str]) -> bool:
    if len(words) < 4 or words[0].capitalize() not in atomic_numbers:
        return False
    try:
        return all(abs(float(word)) >= 0.0 for word in words[1:4])
    except ValueError:
        return False

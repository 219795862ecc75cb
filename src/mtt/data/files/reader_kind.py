"""What a reader of files is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import ase

from mtt.data.files.raw_frame import RawFrame


@dataclass(frozen=True)
class Reader:
    """One reader by name, which the option ``reader`` may give.

    :param read: the structures of a file, in their order, with all that the file says of them.
        Only regular files that exist are read. What it raises is reported with the file and the
        number of frames that were read.
    :param suffixes: of the files that are read by it without being asked: ``(".dump",)``. Those
        of compressed files (``.gz``, ``.bz2``, ``.xz``) do not count.
    """

    read: Callable[[str], Iterable[RawFrame | ase.Atoms]]
    suffixes: tuple[str, ...] = ()


class UnusualFormatError(Exception):
    """A dialect that ASE reads and this reader does not."""

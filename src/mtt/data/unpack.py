"""Compressed files as text, of which no more is unpacked than text may become."""

from __future__ import annotations

import io
import lzma
import zlib
from pathlib import Path
from typing import IO, Any, TextIO, cast

from ase.io.formats import open_with_compression

from mtt.errors import DataError
from mtt.stopping import stop_if_asked

SUFFIXES = (".gz", ".bz2", ".xz")
ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What unpacking a damaged file raises."""

MAX_RATIO = 200
"""Bytes that may become of one; numbers become four, structures that repeat thirty."""

ALWAYS = 16 * 2**20
"""Bytes that may be unpacked of any file."""


def open_text(path: str) -> TextIO:
    """``path`` for reading, unpacked if its name says so.

    :raises OSError: as ``open``; while reading, one of :data:`ERRORS`, or a DataError where
        more comes out than of any file of numbers.
    """
    if Path(path).suffix not in SUFFIXES:
        return cast(TextIO, open_with_compression(path, "r"))
    most = max(ALWAYS, MAX_RATIO * Path(path).stat().st_size)
    packed = cast(IO[bytes], open_with_compression(path, "rb"))
    return io.TextIOWrapper(io.BufferedReader(_Bounded(packed, most, path)))


def check_size(path: str) -> None:
    """Unpack ``path``, if its name says that it is packed, and keep nothing: for other readers.

    :raises OSError: as :func:`open_text`; one of :data:`ERRORS` where it is damaged.
    :raises DataError: more comes out than of any file of numbers.
    """
    if Path(path).suffix not in SUFFIXES:
        return
    with open_text(path) as stream:
        while stream.buffer.read(2**20):
            stop_if_asked()


class _Bounded(io.RawIOBase):
    def __init__(self, stream: IO[bytes], most: int, path: str) -> None:
        self._stream = stream
        self._left = self._most = most
        self._path = path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._stream.read(len(buffer))
        self._left -= len(piece)
        if self._left < 0:
            what = f"becomes more than {self._most:,} bytes when it is unpacked"
            raise DataError(what, where=self._path, hint="unpack it first, if it is meant so")
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._stream.close()
        super().close()

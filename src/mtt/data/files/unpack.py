"""Compressed files as text, with a limit on the unpacked size."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TextIO, cast

from mtt.errors import DataError
from mtt.stopping import stop_if_asked

SUFFIXES = (".gz", ".bz2", ".xz")
_OPEN: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
"""By the first bytes of a file; names of files may say otherwise."""

ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""Errors of unpacking a damaged file."""

MAX_RATIO = 200
"""Bytes that may become of one; numbers become four, structures that repeat thirty."""

ALWAYS = 16 * 2**20
"""Bytes that may be unpacked of any file."""


def open_text(path: str) -> TextIO:
    """``path`` for reading, unpacked if it is compressed, whatever its name.

    :raises OSError: as ``open``; while reading, one of :data:`ERRORS`, or a DataError where
        more comes out than of any file of numbers.
    """
    unpack = _unpacking(path)
    if unpack is None:
        return Path(path).open()
    most = max(ALWAYS, MAX_RATIO * Path(path).stat().st_size)
    packed = cast(IO[bytes], unpack(path, "rb"))
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


def share_read(path: str, stream: TextIO) -> Callable[[], float | None]:
    """The share of ``path`` that was read through ``stream`` so far; None of a compressed file."""
    size = 0 if _unpacking(path) else Path(path).stat().st_size
    buffer = getattr(stream, "buffer", None)
    if not size or buffer is None:
        return lambda: None
    return lambda: min(buffer.tell() / size, 1.0)


def _unpacking(path: str) -> Callable[..., Any] | None:
    """Function that opens a compressed file; None for another file."""
    with Path(path).open("rb") as stream:
        begin = stream.read(6)
    return next((opens for magic, opens in _OPEN.items() if begin.startswith(magic)), None)


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

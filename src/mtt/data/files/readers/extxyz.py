"""extended XYZ, under any name, also compressed by gzip, bzip2 or xz."""

from __future__ import annotations

from mtt.data.files.extxyz import read_extxyz
from mtt.data.files.raw_frame import RawFrame
from mtt.data.files.reader_kind import Reader


def read(path: str) -> list[RawFrame]:
    """All frames; several times faster than ASE, with the line in every error."""
    return read_extxyz(path)


READER = Reader(read, suffixes=(".xyz", ".extxyz"))

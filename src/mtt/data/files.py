"""Opens files, each once."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
from ase.io.formats import UnknownFileTypeError

from mtt.data.extxyz import UnusualFormatError, read_extxyz
from mtt.data.raw import RawFrame, from_ase
from mtt.data.unpack import ERRORS, SUFFIXES, check_size
from mtt.errors import DataError, did_you_mean
from mtt.stopping import stop_if_asked

_XYZ = (".xyz", ".extxyz")
_READERS = ("ase", "metatensor")
_SAME_PLACE = 1e-3  # files round positions differently


class Files:
    """Frames by file; every file is parsed once, however many sections name it."""

    def __init__(self) -> None:
        self._frames: dict[Path, list[RawFrame]] = {}

    def read(self, path: str, reader: str | None = None) -> list[RawFrame]:
        """All frames of ``path``, in the order of the file; at least one.

        :param reader: ``"ase"`` or None.
        :raises DataError: no such file, unknown format, or a frame that cannot be read.
        """
        _check(path, reader)
        file = Path(path).resolve()
        if file not in self._frames:
            self._frames[file] = _read(path)
        return self._frames[file]


def _read(path: str) -> list[RawFrame]:
    try:
        frames = _read_known(path)
    except ERRORS as error:
        raise DataError(f"cannot be read: {error}", where=path) from error
    if not frames:
        raise DataError("this file holds no structures", where=path)
    return frames


def _check(path: str, reader: str | None) -> None:
    file = Path(path)
    if reader == "metatensor" or file.suffix in (".mts", ".zip"):
        what = "metatensor files and zipped data sets are not available"
        raise DataError(what, where=path, hint="use a file that ASE reads, such as .xyz")
    if reader is not None and reader not in _READERS:
        hint = did_you_mean(reader, _READERS) or "leave it out"
        raise DataError(f"unknown reader {reader!r}", where=path, hint=hint)
    try:
        is_folder, exists = file.is_dir(), file.exists()
    except OSError as error:  # a name that is too long for one
        raise DataError(f"cannot be read: {error.strerror}", where=path) from error
    if is_folder:
        raise DataError("this is a folder, not a file", where=path)
    if not exists:
        raise DataError("no such file", where=path, hint=_siblings(file))


def _siblings(file: Path) -> str:
    if not file.parent.is_dir():
        return f"the folder {file.parent} does not exist"
    similar = did_you_mean(file.name, (entry.name for entry in file.parent.iterdir()))
    return similar or ("" if file.is_absolute() else f"paths start from {Path.cwd()}")


def _read_known(path: str) -> list[RawFrame]:
    suffixes = [s for s in Path(path).suffixes if s not in SUFFIXES]
    if suffixes and suffixes[-1] in _XYZ:
        try:
            return read_extxyz(path)
        except UnusualFormatError:
            pass
    return _read_with_ase(path)


def _read_with_ase(path: str) -> list[RawFrame]:
    frames: list[RawFrame] = []
    check_size(path)
    try:
        for atoms in ase.io.iread(path, index=":"):
            stop_if_asked()
            frames.append(from_ase(atoms, path, len(frames)))
    except UnknownFileTypeError as error:
        what = "ASE does not know the format of this file"
        raise DataError(what, where=path, hint="name it by its format, such as .xyz") from error
    except (DataError, MemoryError):
        raise
    except Exception as error:  # ASE's parsers raise whatever they stumble over
        what = f"ASE cannot read it ({type(error).__name__}: {error})"
        raise DataError(what, where=f"{path}, frame {len(frames)}") from error
    return frames


def compare(systems: list[RawFrame], labels: list[RawFrame], section: str) -> str:
    """Whether ``labels`` are frames of the same structures; a notice if positions differ.

    :raises DataError: other number of frames, or other atoms.
    """
    here, there = labels[0].file, systems[0].file
    hint = "both files must hold the same structures, in the same order"
    if len(labels) != len(systems):
        what = f"{len(labels)} frames for {section}, but {there} has {len(systems)} structures"
        raise DataError(what, where=here, hint=hint)
    moved = []
    for system, label in zip(systems, labels, strict=True):
        if not np.array_equal(system.numbers, label.numbers):
            what = f"the atoms differ from those of {system.source}"
            raise DataError(what, where=label.source, hint=hint)
        if not np.allclose(system.positions, label.positions, rtol=0.0, atol=_SAME_PLACE):
            moved.append(label.number)
    if not moved:
        return ""
    return (
        f"{here} ({section}) and {there} have different positions in {len(moved)} frames, "
        f"first in frame {moved[0]}; the structures of {there} are used"
    )

"""Opens files, each once."""

from __future__ import annotations

from pathlib import Path

from mtt.data.files.inputs import input_files
from mtt.data.files.raw_frame import RawFrame, from_ase
from mtt.data.files.reader_kind import Reader, UnusualFormatError
from mtt.data.files.sniff import is_extxyz
from mtt.data.files.unpack import ERRORS, SUFFIXES
from mtt.data.findings import listed
from mtt.data.storage.store import is_packed
from mtt.discovery import READERS
from mtt.errors import DataError, MttError, Problem, did_you_mean
from mtt.options.values import ReadFrom
from mtt.regular import unreadable
from mtt.stopping import stop_if_asked

BY_CONTENT = "ase"
"""The reader that the options need not name: extended XYZ and others' suffixes come before it."""


class Files:
    """Frames by file; every file is parsed once, however many sections name it."""

    def __init__(self) -> None:
        self._frames: dict[tuple[str, tuple[Path, ...]], list[RawFrame]] = {}

    def read(self, read_from: ReadFrom, reader: str | None = None) -> list[RawFrame]:
        """All frames of one file or of several, in their order; at least one of each file.

        :param read_from: see :func:`mtt.data.files.inputs.input_files`.
        :param reader: name of a reader; None or ``"ase"``: by suffix and content.
        :raises DataError: collects files that are not there, of unknown format, or with frames
            that cannot be read.
        """
        paths = input_files(read_from)
        by = BY_CONTENT if reader is None else reader
        problems: list[Problem] = []
        for path in paths:
            try:
                _check(str(path), by)
                self._frames.setdefault((by, (path.resolve(),)), [])
            except DataError as error:
                problems += error.problems
        if problems:
            raise DataError.collect(listed(problems))
        files = tuple(path.resolve() for path in paths)
        for path, file in zip(paths, files, strict=True):
            try:
                key = (by, (file,))
                self._frames[key] = self._frames[key] or _read(str(path), by)
            except DataError as error:
                problems += error.problems
        if problems:
            raise DataError.collect(listed(problems))
        if (by, files) not in self._frames:
            self._frames[(by, files)] = [f for file in files for f in self._frames[(by, (file,))]]
        return self._frames[(by, files)]


def _read(path: str, reader: str) -> list[RawFrame]:
    try:
        frames = _read_by(_reader_of(path, reader), path)
    except UnusualFormatError:
        frames = _read_by(BY_CONTENT, path)
    except ERRORS as error:
        raise DataError(f"cannot be read: {error}", where=path) from error
    if not frames:
        raise DataError("this file holds no structures", where=path)
    return frames


def _check(path: str, reader: str) -> None:
    file = Path(path)
    plain = file.suffix in (".mts", ".zip") and reader == BY_CONTENT and not _by_suffix(path)
    if plain or (reader == "metatensor" and reader not in READERS.names()):
        what = "metatensor files and zipped data sets are not available"
        raise DataError(what, where=path, hint="use a file that ASE reads, such as .xyz")
    READERS.check(reader, path, DataError)
    wrong = unreadable(file)
    if wrong:
        raise DataError(wrong.what, where=path, hint=wrong.hint)
    if file.is_dir():
        if is_packed(file):
            hint = "give it as another data set: training_set may be a list"
            raise DataError("a packed data set cannot be one of several", where=path, hint=hint)
        raise DataError("this is a folder, not a file", where=path, hint=_pattern(file))
    if not file.exists():
        raise DataError("no such file", where=path, hint=_siblings(file))


def _pattern(folder: Path) -> str:
    """Hint with a pattern for the structures of a folder; empty without any."""
    return f"for all of its files, write {folder}/*.xyz" if any(folder.glob("*.xyz")) else ""


def _siblings(file: Path) -> str:
    if not file.parent.is_dir():
        return f"the folder {file.parent} does not exist"
    similar = did_you_mean(file.name, (entry.name for entry in file.parent.iterdir()))
    return similar or ("" if file.is_absolute() else f"paths start from {Path.cwd()}")


def _reader_of(path: str, reader: str) -> str:
    """The name of the reader that takes ``path``.

    :raises DataError: several do.
    """
    if reader != BY_CONTENT:
        return reader
    takers = _by_suffix(path)
    if len(takers) > 1:
        what = f"the readers {' and '.join(takers)} both take this suffix"
        raise DataError(what, where=path, hint=f"choose one: reader: {takers[0]}")
    if takers:
        return takers[0]
    is_xyz = is_extxyz(path) or not Path(path).stat().st_size
    return "extxyz" if is_xyz else BY_CONTENT


def _by_suffix(path: str) -> list[str]:
    """The readers that take files of this suffix, under that of a compressed file."""
    suffixes = [s for s in Path(path).suffixes if s not in SUFFIXES]
    readers = READERS.facts("suffixes", ()).items()
    return [name for name, own in readers if suffixes and suffixes[-1] in own]


def _read_by(name: str, path: str) -> list[RawFrame]:
    """All frames of ``path``.

    :raises DataError: whatever a reader of another package raises, with the number of frames.
    """
    frames: list[RawFrame] = []
    reader = READERS.load(name, Reader, path, DataError)
    try:
        for one in reader.read(path):
            stop_if_asked()
            frames.append(one if isinstance(one, RawFrame) else from_ase(one, path, len(frames)))
    except Exception as error:
        known = isinstance(error, (MttError, MemoryError, UnusualFormatError, *ERRORS))
        if known or READERS.find()[name].origin == "mtt":
            raise
        what = f"the reader {name!r} cannot read it ({type(error).__name__}: {error})"
        raise DataError(what, where=f"{path}, frame {len(frames)}") from error
    return frames

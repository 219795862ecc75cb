"""Opens files, each once."""

from __future__ import annotations

from pathlib import Path

import ase.io
from ase.io.formats import UnknownFileTypeError, filetype

from mtt.data.files.database import KINDS, read_database
from mtt.data.files.extxyz import UnusualFormatError, read_extxyz
from mtt.data.files.inputs import input_files
from mtt.data.files.raw_frame import RawFrame, from_ase
from mtt.data.files.sniff import is_extxyz
from mtt.data.files.unpack import ERRORS, SUFFIXES, check_size
from mtt.data.findings import listed
from mtt.data.storage.store import is_packed
from mtt.errors import DataError, Problem, did_you_mean
from mtt.options.values import ReadFrom
from mtt.progress import watched
from mtt.regular import unreadable
from mtt.stopping import stop_if_asked

_XYZ = (".xyz", ".extxyz")
_READERS = ("ase", "metatensor")
_FORMATS = (
    "extended XYZ is read under any name; other formats are known by theirs: .traj, .db, .json, "
    ".cif, .pdb, .gro, .cube, .pwo, .castep, POSCAR, OUTCAR, vasprun.xml, ... "
    "(`ase info --formats` lists them)"
)


class Files:
    """Frames by file; every file is parsed once, however many sections name it."""

    def __init__(self) -> None:
        self._frames: dict[tuple[Path, ...], list[RawFrame]] = {}

    def read(self, read_from: ReadFrom, reader: str | None = None) -> list[RawFrame]:
        """All frames of one file or of several, in their order; at least one of each file.

        :param read_from: see :func:`mtt.data.files.inputs.input_files`.
        :param reader: ``"ase"`` or None.
        :raises DataError: collects files that are not there, of unknown format, or with frames
            that cannot be read.
        """
        paths = input_files(read_from)
        problems: list[Problem] = []
        for path in paths:
            try:
                _check(str(path), reader)
                self._frames.setdefault((path.resolve(),), [])
            except DataError as error:
                problems += error.problems
        if problems:
            raise DataError.collect(listed(problems))
        files = tuple(path.resolve() for path in paths)
        for path, file in zip(paths, files, strict=True):
            try:
                self._frames[(file,)] = self._frames[(file,)] or _read(str(path))
            except DataError as error:
                problems += error.problems
        if problems:
            raise DataError.collect(listed(problems))
        if files not in self._frames:
            self._frames[files] = [one for file in files for one in self._frames[(file,)]]
        return self._frames[files]


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
    """How to name the structures of a folder."""
    return f"for all of its files, write {folder}/*.xyz" if any(folder.glob("*.xyz")) else ""


def _siblings(file: Path) -> str:
    if not file.parent.is_dir():
        return f"the folder {file.parent} does not exist"
    similar = did_you_mean(file.name, (entry.name for entry in file.parent.iterdir()))
    return similar or ("" if file.is_absolute() else f"paths start from {Path.cwd()}")


def _read_known(path: str) -> list[RawFrame]:
    suffixes = [s for s in Path(path).suffixes if s not in SUFFIXES]
    named = bool(suffixes) and suffixes[-1] in _XYZ
    if named or is_extxyz(path) or not Path(path).stat().st_size:
        try:
            return read_extxyz(path)
        except UnusualFormatError:
            pass
    return _read_with_ase(path)


def _read_with_ase(path: str) -> list[RawFrame]:
    frames: list[RawFrame] = []
    kind = ""
    check_size(path)
    try:
        kind = filetype(path)
        atoms_of = ase.io.iread(path, index=":", format=kind)
        if kind in KINDS and not path.endswith("aselmdb"):
            atoms_of = read_database(path, kind)
        for atoms in watched(atoms_of, f"reading {path}"):
            stop_if_asked()
            frames.append(from_ase(atoms, path, len(frames)))
    except UnknownFileTypeError as error:
        what = "neither extended XYZ nor a format that ASE knows"
        raise DataError(what, where=path, hint=_FORMATS) from error
    except (DataError, MemoryError):
        raise
    except Exception as error:  # ASE's parsers raise whatever they stumble over
        of = f"{kind}; " if kind else ""
        what = f"ASE cannot read it ({of}{type(error).__name__}: {error})"
        raise DataError(what, where=f"{path}, frame {len(frames)}", hint=_FORMATS) from error
    return frames

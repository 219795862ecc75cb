"""A folder of ``.npy`` files and one JSON file that says what they are.

Arrays are written in pieces and read as memory maps. A folder appears under its name when
all of it is on disk, or not at all.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from mtt.disk import sync, take_place, temporary_folder
from mtt.errors import DataError
from mtt.regular import unreadable

# what numpy raises of a header that it cannot make sense of
_MALFORMED = (
    *(OSError, ValueError, TypeError, SyntaxError, TokenError, OverflowError),
    *(RecursionError, MemoryError),  # of brackets in brackets
)
_ROWS = 2**22  # that are looked at in one go
_PACK_AGAIN = "pack the data again with `mtt data pack`"


class ArrayFolder(NamedTuple):
    """Arrays of a folder. The maps are private: pages can be released, files never change."""

    header: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    maps: list[mmap.mmap]

    def passes(self, *names: str) -> Iterator[tuple[NDArray[Any], ...]]:
        """Rows of the arrays, some at a time; pages are released behind them."""
        for start in range(0, len(self.arrays[names[0]]), _ROWS):
            yield tuple(self.arrays[name][start : start + _ROWS] for name in names)
            self.release()

    def release(self) -> None:
        """Release the pages that were read, which otherwise count as memory of the process."""
        for mapped in self.maps:
            mapped.madvise(mmap.MADV_DONTNEED)


class ArrayWriter:
    """Writes arrays piece by piece; made by :func:`writing`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.header: dict[str, Any] = {}
        self._files: dict[str, IO[bytes]] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._dtypes: dict[str, np.dtype[Any]] = {}

    def append(self, name: str, piece: NDArray[Any]) -> None:
        """Add the rows of ``piece`` to the array ``name``."""
        if name not in self._files:
            path = self.folder / f"{len(self._files):03d}-{name.split(':')[0]}.npy"
            self._files[name] = path.open("wb")
            self._shapes[name] = (0, *piece.shape[1:])
            self._dtypes[name] = piece.dtype
            self._write_header(name)
        assert piece.dtype == self._dtypes[name]
        assert piece.shape[1:] == self._shapes[name][1:]
        self._files[name].write(np.ascontiguousarray(piece).data)
        self._shapes[name] = (self._shapes[name][0] + len(piece), *piece.shape[1:])

    def close(self) -> None:
        """Write the final shapes and the JSON file, and flush everything to disk."""
        arrays = {}
        for name, file in self._files.items():
            file.seek(0)
            self._write_header(name)
            _sync(file)
            file.close()
            arrays[name] = {
                "file": Path(file.name).name,
                "dtype": self._dtypes[name].str,
                "shape": list(self._shapes[name]),
            }
        with (self.folder / "dataset.json").open("w", encoding="utf-8") as text:
            json.dump({**self.header, "arrays": arrays}, text, indent=1)
            _sync(text)
        sync(self.folder)

    def abandon(self) -> None:
        """Close what is open; its folder is removed by who made it."""
        for file in self._files.values():
            with suppress(OSError):  # what it still holds does not fit on a full disk
                file.close()

    def _write_header(self, name: str) -> None:
        # numpy pads the header so that the number of rows can grow in place
        np.lib.format.write_array_header_1_0(
            self._files[name],
            {
                "descr": self._dtypes[name].str,
                "fortran_order": False,
                "shape": self._shapes[name],
            },
        )


@contextmanager
def writing(folder: Path) -> Iterator[ArrayWriter]:
    """A writer whose files become ``folder`` at the end of the block.

    :raises DataError: ``folder`` exists, or cannot be written.
    """
    if folder.exists():
        raise DataError("exists already", where=str(folder), hint="choose another folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder) as temporary:
            writer = ArrayWriter(temporary)
            try:
                yield writer
                writer.close()
                take_place(temporary, folder)
            except BaseException:
                writer.abandon()
                raise
    except OSError as error:
        raise _cannot_write(folder, error) from error


def read_arrays(folder: Path, kind: str, version: int) -> ArrayFolder:
    """Map the arrays in ``folder``, which must hold a ``kind`` of at most ``version``.

    :raises DataError: something else is there, or a file is missing or damaged.
    """
    header = _read_header(folder, kind, version)
    arrays = {name: _map(folder, name, entry) for name, entry in header["arrays"].items()}
    return ArrayFolder(header, arrays, [cast(mmap.mmap, one.base) for one in arrays.values()])


def _map(folder: Path, name: str, entry: Any) -> NDArray[Any]:
    try:
        path = folder / Path(entry["file"]).name  # never outside of the folder
        dtype, shape = np.dtype(str(entry["dtype"])), entry["shape"]
    except (KeyError, *_MALFORMED) as error:
        where = str(folder / "dataset.json")
        raise DataError(f"misstates the array {name!r}", where=where, hint=_PACK_AGAIN) from error
    _check_regular(path)
    try:
        # copy-on-write: torch wants writable memory, and files must stay as they are
        array = np.lib.format.open_memmap(path, mode="c")
    except _MALFORMED as error:
        what = f"cannot be read: {error}"
        raise DataError(what, where=str(path), hint=_PACK_AGAIN) from error
    if array.dtype != dtype or list(array.shape) != shape:
        what = f"holds {array.dtype} {list(array.shape)} instead of {dtype} {shape}"
        raise DataError(what, where=str(path), hint=_PACK_AGAIN)
    return array


def _read_header(folder: Path, kind: str, version: int) -> dict[str, Any]:
    path = folder / "dataset.json"
    _check_regular(path)
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
        # an escape can make half of a character, which no other program takes for text
        json.dumps(header, ensure_ascii=False).encode()
    except FileNotFoundError as error:
        raise DataError(
            "is not a packed data set: it holds no dataset.json",
            where=str(folder),
            hint="pack files with `mtt data pack`",
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path), hint=_PACK_AGAIN) from error
    if not isinstance(header, Mapping) or header.get("format") != kind:
        raise DataError(f"does not describe {kind}", where=str(path), hint=_PACK_AGAIN)
    found = header.get("format_version")
    if not isinstance(found, int) or found > version:
        raise DataError(
            f"has format version {found}, this mtt reads up to {version}",
            where=str(path),
            hint="update mtt",
        )
    if not isinstance(header.get("arrays"), Mapping):
        raise DataError("lists no arrays", where=str(path), hint=_PACK_AGAIN)
    return dict(header)


def _check_regular(path: Path) -> None:
    wrong = unreadable(path)
    if wrong:
        raise DataError(wrong.what, where=str(path), hint=_PACK_AGAIN)


def _cannot_write(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot be written: {error.strerror or error}",
        where=str(folder),
        hint="choose a folder with space where you may write",
    )


def _sync(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())

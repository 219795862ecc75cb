"""Files that survive a crash of the machine, and those that a killed process leaves."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

_FOLDER = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp", re.DOTALL)  # as tempfile makes names


def sync(path: Path) -> None:
    """Put onto the disk: the content of a file, or the names in a folder.

    :raises OSError: there is none, or it cannot be opened or written.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(file: IO[Any] | int) -> None:
    """Mark an open file or folder as in use; the mark ends with its process, however that dies.

    :param file: an open file, or a descriptor.
    :raises BlockingIOError: another process has it.
    :raises OSError: the file system knows no locks.
    """
    descriptor = file if isinstance(file, int) else file.fileno()
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def temporary_folder(folder: Path) -> Iterator[Path]:
    """A new, locked folder beside ``folder``, for :func:`take_place`; else gone at the end.

    Those that killed processes left beside it are removed first.

    :raises OSError: there can be none.
    """
    _remove_abandoned(folder.parent)
    path, descriptor = _locked_folder(folder)
    try:
        yield path
    finally:
        os.close(descriptor)
        shutil.rmtree(path, ignore_errors=True)


def take_place(temporary: Path, folder: Path) -> None:
    """Give a :func:`temporary_folder` its name, with the user's usual permissions.

    :raises OSError: something else has that name.
    """
    temporary.chmod(0o777 & ~_umask())
    os.rename(temporary, folder)
    sync(folder.parent)


def _locked_folder(folder: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
        descriptor = os.open(path, os.O_RDONLY)
        try:
            lock(descriptor)
        except BlockingIOError:  # another process takes it for abandoned, and removes it
            os.close(descriptor)
            continue
        except OSError:  # no locks here: then nothing is ever taken for abandoned either
            return path, descriptor
        if path.is_dir():
            return path, descriptor
        os.close(descriptor)


def _remove_abandoned(parent: Path) -> None:
    for path in parent.glob(".*.tmp"):
        if not _FOLDER.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
            continue
        # in use by another process, removed by one, or not known
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                lock(descriptor)
                shutil.rmtree(path)
            finally:
                os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""The exported file: tested before any work, and complete when it gets its name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtt.checkpoint.temporary import open_temporary
from mtt.disk import sync
from mtt.errors import CheckpointError

_PIECE = 2**20
_KINDS = {".pt": "an exported model", ".zip": "a light archive"}


def check_path(path: str | Path, suffix: str = ".pt") -> None:
    """Whether an exported model (``.pt``) or a light archive (``.zip``) can be written.

    :raises CheckpointError: it cannot, with the reason.
    """
    path = Path(path)
    if path.suffix != suffix:
        is_archive = (suffix, path.suffix) == (".pt", ".zip")
        raise CheckpointError(
            f"{_KINDS[suffix]} is a {suffix} file",
            where=str(path),
            hint="an archive is made of a checkpoint: mtt export model.ckpt -o model.zip"
            if is_archive
            else "",
        )
    if path.is_dir():
        raise CheckpointError("is a folder", where=str(path))
    with temporary(path):
        pass


@contextmanager
def temporary(path: Path) -> Iterator[Path]:
    """A new file beside ``path``, with the user's usual permissions; gone at the end.

    :raises CheckpointError: it cannot be written. Problems of the block with the temporary file
        are reported for ``path``.
    """
    try:
        file, held = open_temporary(path, "xb", path.suffix)
    except OSError as error:
        hint = "" if path.parent.is_dir() else f"there is no folder {path.parent}"
        what = f"cannot be written: {error.strerror}"
        raise CheckpointError(what, where=str(path), hint=hint) from error
    try:
        with held:
            yield file
    except CheckpointError as error:
        known = {str(file): str(path)}
        problems = [one._replace(where=known.get(one.where, one.where)) for one in error.problems]
        raise CheckpointError.collect(problems) from error
    finally:
        file.unlink(missing_ok=True)


def check_space(file: Path, n_bytes: int) -> None:
    """Whether ``n_bytes`` can be written to ``file``, which is empty and stays so.

    Tried before TorchScript writes, whose writer aborts the whole process on a full disk.

    :raises CheckpointError: they cannot.
    """
    left = n_bytes
    try:
        with file.open("r+b", buffering=0) as held:
            while left > 0:
                left -= held.write(bytes(min(left, _PIECE)))
            held.truncate(0)
    except OSError as error:
        free = shutil.disk_usage(file.parent).free
        raise CheckpointError(
            f"cannot be written (up to {n_bytes:,} bytes): {error.strerror}",
            where=str(file),
            hint=f"{free:,} bytes are free in {file.parent}",
        ) from error


def take_name(file: Path, path: Path) -> None:
    """Put ``file``, a :func:`temporary` one, on the disk and in the place of ``path``."""
    sync(file)
    os.replace(file, path)
    sync(path.parent)

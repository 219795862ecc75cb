"""The file that is written: tried before any work, and whole when it takes its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mtt.checkpoint.temporary import lock, remove_abandoned, temporary_name
from mtt.errors import CheckpointError

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
    """A new file beside ``path``, with the user's usual permissions; gone at the end."""
    remove_abandoned(path.parent, path.suffix)
    file = temporary_name(path, path.suffix)
    try:
        held = file.open("xb")
    except OSError as error:
        hint = "" if path.parent.is_dir() else f"there is no folder {path.parent}"
        what = f"cannot be written: {error.strerror}"
        raise CheckpointError(what, where=str(path), hint=hint) from error
    try:
        with held:
            # a file system may know no locks; then nothing is ever taken for abandoned either
            with suppress(OSError):
                lock(held)
            yield file
    finally:
        file.unlink(missing_ok=True)


def take_name(file: Path, path: Path) -> None:
    """Put ``file``, a :func:`temporary` one, on the disk and in the place of ``path``."""
    _sync(file)
    os.replace(file, path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Onto the disk: the content of a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Temporary files: beside what they become, and known as abandoned when their process is gone."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import IO, Any

from mtt.disk import lock

__all__ = ["lock", "open_temporary", "remove_abandoned", "replace_text", "temporary_name"]

_TOKEN = 4  # bytes


def temporary_name(path: Path, suffix: str = ".tmp") -> Path:
    """A new name in the folder of ``path``: a rename within one file system is one step."""
    return path.with_name(f".{path.name}.{secrets.token_hex(_TOKEN)}{suffix}")


def open_temporary(path: Path, mode: str, suffix: str = ".tmp") -> tuple[Path, IO[Any]]:
    """A new file with a :func:`temporary_name` beside ``path``, open and locked.

    Those that killed processes left there are removed first.

    :param mode: ``"xb"`` or ``"x"``, which writes UTF-8.
    :raises OSError: there can be none.
    """
    remove_abandoned(path.parent, suffix)
    while True:
        temporary = temporary_name(path, suffix)
        file = temporary.open(mode, encoding=None if "b" in mode else "utf-8")
        # a file system may know no locks; then nothing is ever taken for abandoned either
        with contextlib.suppress(OSError):
            lock(file)
        if temporary.exists():
            return temporary, file
        file.close()  # another process took it for abandoned before it was locked


def remove_abandoned(folder: Path, suffix: str = ".tmp") -> None:
    """Remove the temporary files in ``folder`` that killed processes left."""
    for path in folder.glob(f".*.{'[0-9a-f]' * 2 * _TOKEN}{suffix}"):
        # in use by another process, removed by one, or not known
        with contextlib.suppress(OSError), open(path, "rb") as file:
            lock(file)
            path.unlink()


def replace_text(path: Path, text: str) -> None:
    """Replace the small file by ``text``, in one step.

    :raises OSError: it cannot be written; an existing file is untouched.
    """
    # always the same name: the next one writes over what a killed process left
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

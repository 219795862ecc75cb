"""Temporary files: beside what they become, and known as abandoned when their process is gone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path
from typing import IO, Any

_TOKEN = 4  # bytes


def temporary_name(path: Path, suffix: str = ".tmp") -> Path:
    """A new name in the folder of ``path``: a rename within one file system is one step."""
    return path.with_name(f".{path.name}.{secrets.token_hex(_TOKEN)}{suffix}")


def lock(file: IO[Any]) -> None:
    """Mark an open file as in use; the mark ends with its process, however that dies.

    :raises BlockingIOError: another process has it.
    :raises OSError: the file system knows no locks.
    """
    fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_abandoned(folder: Path, suffix: str = ".tmp") -> None:
    """Remove the temporary files in ``folder`` that killed processes left."""
    for path in folder.glob(f".*.{'[0-9a-f]' * 2 * _TOKEN}{suffix}"):
        # in use by another process, removed by one, or nobody can tell
        with contextlib.suppress(OSError), open(path, "rb") as file:
            lock(file)
            path.unlink()


def replace_text(path: Path, text: str) -> None:
    """Replace the small file by ``text``, in one step.

    :raises OSError: it cannot be written; what stood there is untouched.
    """
    # always the same name: the next one writes over what a killed process left
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

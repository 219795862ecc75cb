"""Writing a checkpoint: complete, verified and in place, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch

from mtt._version import __version__
from mtt.checkpoint.format import (
    FORMAT,
    FORMAT_VERSION,
    MODEL_VERSION,
    MTT_VERSION,
    first_difference,
    foreign_values,
    n_bytes,
)
from mtt.checkpoint.read import verify_archive
from mtt.checkpoint.temporary import lock, remove_abandoned, temporary_name
from mtt.disk import sync
from mtt.errors import CheckpointError, Problem


def write(
    path: str | Path, checkpoint: Mapping[str, Any], *, keep: str | Path | None = None
) -> None:
    """Write ``checkpoint`` to ``path``, in one step for every other process.

    It goes to a temporary file in the same folder, onto the disk (fsync), is read back and
    compared, and only then takes its name. At every moment ``path`` is a whole checkpoint,
    the old one or the new one. ``format_version`` and ``mtt_version`` are added.

    :param checkpoint: tensors and plain types only, with ``"model_ckpt_version"``.
    :param keep: an existing file at ``path`` is moved here just before.
    :raises CheckpointError: it cannot be written; an existing file at ``path`` is untouched.
    """
    # a link stays a link: the file it points to is replaced
    path = Path(os.path.realpath(path))
    content = {**checkpoint, FORMAT: FORMAT_VERSION, MTT_VERSION: __version__}
    _check_content(content, path)
    remove_abandoned(path.parent)
    temporary = temporary_name(path)
    try:
        with open(temporary, "x+b") as file:
            # a file system may know no locks; then nothing is ever taken for stale either
            with contextlib.suppress(OSError):
                lock(file)
            _save(content, file, path)
            _read_back(content, file, temporary, path)
            if keep is not None and path.exists():
                os.replace(path, keep)
            os.replace(temporary, path)
        sync(path.parent)  # the new name, not only the file
    except OSError as error:
        raise _failure(error, path, content) from error
    finally:
        temporary.unlink(missing_ok=True)


def _check_content(content: dict[str, Any], path: Path) -> None:
    assert MODEL_VERSION in content, f"a checkpoint holds {MODEL_VERSION!r}"
    problems = [
        Problem(
            f"{place} is {kind}, which could not be read back",
            str(path),
            "convert it first",
        )
        for place, kind in foreign_values(content)
    ]
    if problems:
        raise CheckpointError.collect(problems)


def _save(content: dict[str, Any], file: IO[bytes], path: Path) -> None:
    try:
        # to a file, not a path: then torch passes on that the disk is full
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    except RuntimeError as error:
        cause = _os_error(error)
        if cause is None:
            raise CheckpointError(f"cannot be written: {error}", where=str(path)) from error
        raise cause from error


def _read_back(content: dict[str, Any], file: IO[bytes], temporary: Path, path: Path) -> None:
    """A file that cannot be read is not a checkpoint, and this is the time to find out."""
    try:
        verify_archive(file, temporary)
        again = torch.load(temporary, weights_only=True, map_location="cpu", mmap=True)
    except (CheckpointError, RuntimeError, EOFError) as error:
        raise CheckpointError(
            f"cannot be written: what reached the disk differs ({error})",
            where=str(path),
        ) from error
    different = first_difference(content, again)
    if different is not None:
        raise CheckpointError(
            f"cannot be written: {different} is read back as something else",
            where=str(path),
        )


def _os_error(error: BaseException | None) -> OSError | None:
    """The operating system's refusal, which torch hides behind another error."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _failure(error: OSError, path: Path, content: dict[str, Any]) -> CheckpointError:
    folder = path.parent
    what = f"cannot be written ({n_bytes(content):,} bytes of tensors): {error.strerror}"
    if not folder.is_dir():
        return CheckpointError(what, where=str(path), hint=f"there is no folder {folder}")
    free = shutil.disk_usage(folder).free
    return CheckpointError(what, where=str(path), hint=f"{free:,} bytes are free in {folder}")

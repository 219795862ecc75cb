"""Reading a checkpoint: verified by its checksums, and without executing anything from it."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import torch

from mtt._version import __version__
from mtt.checkpoint.format import (
    ARCHITECTURE,
    FORMAT,
    FORMAT_VERSION,
    MODEL_VERSION,
    MTT_VERSION,
)
from mtt.checkpoint.kinds import (
    ZIP_ERRORS,
    check_path,
    is_archive,
    is_exported,
    open_zip,
    refuse_unless_zip,
    wrong_members,
)
from mtt.checkpoint.pickles import wrong_calls, wrong_content
from mtt.checkpoint.records import Record
from mtt.errors import CheckpointError

_DAMAGED = "take another checkpoint of the run, or an older copy of the file"


class NotOurs(CheckpointError):
    """A sound file, but not a checkpoint of a model of mtt."""


class ForeignObjects(NotOurs):
    """A torch file holds objects of classes, which are not loaded: that can run any program."""


def read(path: str | Path, *, architecture: str | None = None) -> dict[str, Any]:
    """The checkpoint in ``path``, with its tensors on the CPU.

    :param architecture: name to assume for a file that holds none (an architecture's own trainer
        may write the model's checkpoint as it is); without it such a file is refused.
    :raises CheckpointError: the file is missing, damaged, unsafe, written by a newer ``mtt``,
        or something else than a checkpoint; the message says which.
    """
    path = check_path(path)
    return _check_keys(read_content(path), path, architecture)


def read_content(path: str | Path, records: Mapping[str, type[Record]] | None = None) -> Any:
    """The content of a torch file of any program, with its tensors on the CPU.

    :param records: full names of classes to what is made of their objects in place of them.
    :raises ForeignObjects: it holds other objects than tensors and plain types.
    :raises CheckpointError: the file is missing, damaged or unsafe, or not a torch file.
    """
    path = check_path(path)
    try:
        with open(path, "rb") as file:
            refuse_unless_zip(file, path)
            names = verify_archive(file, path)
            if is_exported(names):
                raise CheckpointError(
                    "this is an exported model, not a checkpoint",
                    where=str(path),
                    hint="`mtt eval` wants it; to train on or export again, give the .ckpt file",
                )
            with _archive(file, path) as archive:
                pickle = archive.read(_find_pickle(names, path))
            return _load(file, pickle, path, records or {})
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}", where=str(path)) from error


def peek(path: str | Path) -> dict[str, Any]:
    """Like :func:`read`, but the tensors stay on disk, mapped and not verified.

    For the plain values in large files; they are verified.
    """
    path = check_path(path)
    try:
        with open(path, "rb") as file:
            refuse_unless_zip(file, path)
            with _archive(file, path) as archive:
                pickle = archive.read(_find_pickle(archive.namelist(), path))  # checks its CRC
        return _check_dict(_load(path, pickle, path), path)
    except ZIP_ERRORS as error:
        raise _damage(path, str(error)) from error


def verify(path: str | Path) -> None:
    """Check the checksums of a checkpoint or an exported model, without loading it.

    :raises CheckpointError: the file is missing, damaged, or neither of the two.
    """
    path = check_path(path)
    try:
        with open(path, "rb") as file:
            refuse_unless_zip(file, path)
            verify_archive(file, path)
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}", where=str(path)) from error


def verify_archive(file: IO[bytes], path: Path) -> list[str]:
    """The names in the archive ``file``, once all its checksums are right.

    ``torch.load`` checks none: a flipped bit becomes another weight, silently.

    :raises CheckpointError: the file is cut short or altered.
    """
    with _archive(file, path) as archive:
        try:
            wrong = archive.testzip()  # of bounded length: _archive has seen to that
        except ZIP_ERRORS as error:
            raise _damage(path, str(error)) from error
        if wrong is not None:
            raise _damage(path, f"the checksum of {wrong!r} is wrong")
        return archive.namelist()


def _archive(file: IO[bytes], path: Path) -> zipfile.ZipFile:
    file.seek(0)
    size = path.stat().st_size
    try:
        archive = open_zip(file)
    except ZIP_ERRORS as error:
        raise CheckpointError(
            f"is damaged: cut short after {size:,} bytes, or its table of contents is broken",
            where=str(path),
            hint=_DAMAGED,
        ) from error
    wrong = wrong_members(archive, size, program=is_exported(archive.namelist()))
    if wrong:
        raise CheckpointError(wrong, where=str(path), hint=_DAMAGED)
    return archive


def _find_pickle(names: list[str], path: Path) -> str:
    for name in names:
        if name.count("/") == 1 and name.endswith("/data.pkl"):
            return name
    if is_archive(names):
        raise CheckpointError(
            "this is the archive of a model, not a checkpoint of its training",
            where=str(path),
            hint="give the .ckpt file that it was exported from",
        )
    raise NotOurs("is a zip archive, but holds no checkpoint", where=str(path))


def _load(
    file: IO[bytes] | Path,
    pickle: bytes,
    path: Path,
    records: Mapping[str, type[Record]] | None = None,
) -> Any:
    """The content; of a path (not a file) with mapped tensors."""
    mapped = isinstance(file, Path)
    try:
        wrong = wrong_calls(pickle)
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        wrong = f"is not a pickle ({error})"
    if wrong:
        raise CheckpointError(f"is not a valid checkpoint: it {wrong}", where=str(path))
    if not isinstance(file, Path):
        file.seek(0)
    known: list[Callable[..., Any] | tuple[Callable[..., Any], str]]
    known = [(record, name) for name, record in (records or {}).items()]
    try:
        with torch.serialization.safe_globals(known):
            content = torch.load(file, weights_only=True, map_location="cpu", mmap=mapped)
    except Exception as error:  # torch raises anything between KeyError and UnpicklingError
        foreign = foreign_objects(path)
        if foreign:
            raise ForeignObjects(
                f"holds Python objects ({', '.join(foreign)}), which are not loaded, "
                "since loading them can run any program",
                where=str(path),
                hint="a checkpoint of mtt holds tensors and plain types only",
            ) from error
        # its checksums are right: it was written like this
        raise CheckpointError(
            f"is not a valid checkpoint ({str(error).partition(chr(10))[0]})", where=str(path)
        ) from error
    wrong = wrong_content(content, len(pickle))
    if wrong:
        raise CheckpointError(f"is not a valid checkpoint: it {wrong}", where=str(path))
    return content


def foreign_objects(path: Path) -> list[str]:
    """Names of what the safe loader refuses of a torch file, read without loading anything."""
    with contextlib.suppress(Exception):  # malformed content has no readable name
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    return []


def _check_keys(content: Any, path: Path, architecture: str | None) -> dict[str, Any]:
    checkpoint = _check_dict(content, path)
    if not checkpoint.get(ARCHITECTURE):
        checkpoint[ARCHITECTURE] = architecture
    if not isinstance(checkpoint[ARCHITECTURE], str):
        raise CheckpointError(
            f"does not say which architecture it belongs to: it lacks {ARCHITECTURE}",
            where=str(path),
        )
    return checkpoint


def _check_dict(content: Any, path: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = content if isinstance(content, dict) else {}
    if MODEL_VERSION not in checkpoint:
        what = f"lacks {MODEL_VERSION}" if checkpoint else f"holds a {type(content).__name__}"
        raise NotOurs(
            f"is a torch file, but not a checkpoint of a model: it {what}",
            where=str(path),
        )
    version = checkpoint.get(FORMAT, FORMAT_VERSION)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        writer = checkpoint.get(MTT_VERSION, "the one that wrote it")
        raise CheckpointError(
            f"is written in format {version}; this is mtt {__version__}, "
            f"which reads formats up to {FORMAT_VERSION}",
            where=str(path),
            hint=f"it needs mtt >= {writer}",
        )
    return checkpoint


def _damage(path: Path, cause: str) -> CheckpointError:
    return CheckpointError(f"is damaged: {cause}", where=str(path), hint=_DAMAGED)

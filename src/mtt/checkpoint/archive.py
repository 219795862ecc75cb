"""The light archive: the weights of a model and what rebuilds it, as JSON and plain bytes.

A zip file of uncompressed members. ``model.json`` holds format, version and the checkpoint in
the form of :mod:`mtt.checkpoint.plain`; each tensor is a separate member, values in C order,
little-endian, so that any program with a zip and a JSON reader can read it. The same content
gives the same bytes. zip keeps a CRC-32 of every member, which safetensors would not; nested
values need JSON beside the tensors in any case.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch

from mtt._version import __version__
from mtt.checkpoint import plain
from mtt.checkpoint.format import (
    ARCHITECTURE,
    ARCHIVE,
    FORMAT,
    MODEL_VERSION,
    MTT_VERSION,
    TRAINER_VERSION,
    first_difference,
)
from mtt.checkpoint.kinds import (
    DESCRIPTION,
    ZIP_ERRORS,
    check_path,
    is_archive,
    refuse_unless_zip,
    wrong_members,
)
from mtt.errors import CheckpointError, Problem

ARCHIVE_FORMAT = "mtt archive"
ARCHIVE_VERSION = 1
"""Raised when older programs could misread what newer ones write."""

MAX_DESCRIPTION = 16 * 2**20
"""Largest ``model.json`` that is read, in bytes; a real one has a few kilobytes."""

_MALFORMED = (ValueError, TypeError, LookupError, RuntimeError, OverflowError)  # RecursionError too
_MAX_DIMS = 64  # torch's own limit; the product of a million sizes takes hours
_HINT = "export the checkpoint again, or take another copy of the file"


def write_archive(path: str | Path, checkpoint: Mapping[str, Any]) -> None:
    """Write ``checkpoint``, of a model without its training, to ``path``; then read it back.

    Not atomic and not on the disk yet: :func:`mtt.exporting.export_archive` is.

    :param checkpoint: tensors and plain types, with ``architecture_name`` and
        ``model_ckpt_version``.
    :raises CheckpointError: it holds something else, or cannot be written.
    """
    path = Path(path)
    assert ARCHITECTURE in checkpoint, f"an archive holds {ARCHITECTURE!r}"
    assert MODEL_VERSION in checkpoint, f"an archive holds {MODEL_VERSION!r}"
    own = (FORMAT, MTT_VERSION, ARCHIVE, TRAINER_VERSION)
    content = {key: value for key, value in checkpoint.items() if key not in own}
    problems = [
        Problem(f"{place} is {kind}, which an archive cannot hold", str(path), "convert it first")
        for place, kind in plain.unstorable(content)
    ]
    if problems:
        raise CheckpointError.collect(problems)
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            _write_members(archive, content)
    except OSError as error:
        raise CheckpointError(f"cannot be written: {error.strerror}", where=str(path)) from error
    again = read_archive(path)
    kept = {key: again[key] for key in content}
    different = first_difference(content, kept, same=plain.same_values)
    if different is not None:
        raise CheckpointError(
            f"cannot be written: {different} is read back as something else", where=str(path)
        )


def read_archive(path: str | Path) -> dict[str, Any]:
    """The checkpoint in the archive ``path``, with its tensors on the CPU.

    In addition to what was written it holds ``mtt_version`` of the writer and ``archive_version``.
    Every checksum is verified. Nothing in the file decides how much memory is taken but its
    own size: members are not compressed, do not overlap, and are as long as dtype and shape
    say.

    :raises CheckpointError: missing, damaged, altered, written by a newer ``mtt``, or something
        else than an archive; the message says which.
    """
    path = check_path(path)
    try:
        with open(path, "rb") as file:
            refuse_unless_zip(file, path)
            return _read(file, path)
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _write_members(archive: zipfile.ZipFile, content: dict[str, Any]) -> None:
    tensors: plain.Tensors = {}
    description = {
        "format": ARCHIVE_FORMAT,
        FORMAT: ARCHIVE_VERSION,
        MTT_VERSION: __version__,
        "checkpoint": plain.encode(content, tensors),
    }
    text = json.dumps(description, indent=1, allow_nan=False) + "\n"
    archive.writestr(_member(DESCRIPTION), text)
    for name, tensor in tensors.items():
        archive.writestr(_member(name), plain.to_bytes(tensor))


def _member(name: str) -> zipfile.ZipInfo:
    """Of a fixed time and system, so that equal models are equal files."""
    member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    member.create_system = 3  # Unix
    member.external_attr = 0o644 << 16
    return member


def _read(file: IO[bytes], path: Path) -> dict[str, Any]:
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            if not is_archive(archive.namelist()):
                raise CheckpointError("is a zip file, but no archive of a model", where=str(path))
            members = _checked_members(archive, path)
            description = _description(archive, members.pop(DESCRIPTION), path)
            content = _content(archive, members, description, path)
    except ZIP_ERRORS as error:
        raise _wrong(f"is damaged: {error}", path) from error
    return {**content, MTT_VERSION: description.get(MTT_VERSION), ARCHIVE: description[FORMAT]}


def _checked_members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """All members by name; no larger together than the file is."""
    wrong = wrong_members(archive, path.stat().st_size)
    if wrong:
        raise _wrong(wrong, path)
    return {member.filename: member for member in archive.infolist()}


def _description(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> dict[str, Any]:
    """``model.json``, of a format that this version reads."""
    if member.file_size > MAX_DESCRIPTION:
        raise _wrong(f"holds a {DESCRIPTION} of {member.file_size:,} bytes", path)
    text = archive.read(member)
    try:
        description = json.loads(text, parse_constant=_not_json)
    except _MALFORMED as error:
        raise _wrong(f"its {DESCRIPTION} is not JSON: {error}", path) from error
    if not isinstance(description, dict) or description.get("format") != ARCHIVE_FORMAT:
        raise CheckpointError("is a zip file, but no archive of a model", where=str(path))
    version = description.get(FORMAT)
    if type(version) is not int or not 1 <= version <= ARCHIVE_VERSION:
        writer = description.get(MTT_VERSION, "the one that wrote it")
        raise CheckpointError(
            f"is an archive of format {version}; this is mtt {__version__}, "
            f"which reads formats up to {ARCHIVE_VERSION}",
            where=str(path),
            hint=f"it needs mtt >= {writer}",
        )
    return description


def _content(
    archive: zipfile.ZipFile,
    members: dict[str, zipfile.ZipInfo],
    description: dict[str, Any],
    path: Path,
) -> dict[str, Any]:
    """The checkpoint; every one of ``members`` is one of its tensors, and taken out."""

    def tensor(stored: Any) -> torch.Tensor:
        name, dtype, shape = stored["member"], plain.DTYPES[stored["dtype"]], stored["shape"]
        if len(shape) > _MAX_DIMS or not all(type(n) is int and 0 <= n < 2**63 for n in shape):
            raise ValueError(f"{name} has the shape {str(shape)[:60]}")
        member = members.pop(name)
        n_bytes = math.prod(shape) * dtype.itemsize
        if member.file_size != n_bytes:
            raise ValueError(f"{name} has {member.file_size:,} bytes instead of {n_bytes:,}")
        return plain.from_bytes(archive.read(member), dtype, shape)

    try:
        content = plain.decode(description["checkpoint"], tensor)
    except _MALFORMED as error:
        raise _wrong(f"was altered: {type(error).__name__}: {error}", path) from error
    if members:
        raise _wrong(f"was altered: it holds {', '.join(members)} in addition to its model", path)
    keys = {ARCHITECTURE: str, MODEL_VERSION: int}
    for key, kind in keys.items():
        if not isinstance(content, dict) or type(content.get(key)) is not kind:
            raise _wrong(f"was altered: it lacks {key}", path)
    checked: dict[str, Any] = content
    return checked


def _not_json(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _wrong(what: str, path: Path) -> CheckpointError:
    return CheckpointError(what, where=str(path), hint=_HINT)

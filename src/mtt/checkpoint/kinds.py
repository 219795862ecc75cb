"""What a file is that was given as a checkpoint, recognised by its first bytes."""

from __future__ import annotations

import codecs
import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from mtt.errors import CheckpointError, did_you_mean
from mtt.regular import unreadable

DESCRIPTION = "model.json"
"""Member of a light archive: everything but the values of tensors."""

ZIP_ERRORS: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    RuntimeError,  # NotImplementedError too: a bit of the flags or of the method is wrong
    EOFError,
    OSError,
    ValueError,
    OverflowError,
)
"""Errors that ``zipfile`` raises for a damaged file."""

MAX_PROGRAM = 256 * 2**20
"""Bytes that the compressed members of an exported model may become: its code, in text."""

_ZIP = b"PK\x03\x04"
_MAGIC = (
    (
        b"\x80",
        "a pickle, or a torch file of the format before 1.6, which has no checksums",
    ),
    (b"\x1f\x8b", "compressed by gzip; decompress it first"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a numpy array"),
    (b"PK", "an empty zip archive"),
)


def check_path(path: str | Path) -> Path:
    """``path``, which must be a file that is not empty.

    :raises CheckpointError: it is not.
    """
    path = Path(path)
    wrong = unreadable(path)
    if wrong:
        raise CheckpointError(wrong.what, where=str(path), hint=wrong.hint)
    if path.is_dir():
        held = sorted(item.name for item in path.glob("*.ckpt"))
        raise CheckpointError(
            "is a folder, not a checkpoint",
            where=str(path),
            hint=f"it holds {', '.join(held)}" if held else "give a .ckpt file",
        )
    if not path.exists():
        held = [item.name for item in path.parent.glob("*")] if path.parent.is_dir() else []
        raise CheckpointError(
            "no such file", where=str(path), hint=did_you_mean(path.name, sorted(held))
        )
    if path.stat().st_size == 0:
        raise CheckpointError(
            "is empty (0 bytes): its writer was stopped, or the disk was full",
            where=str(path),
        )
    return path


def refuse_unless_zip(file: IO[bytes], path: Path) -> None:
    """Checkpoints and exported models are zip archives; say what anything else is.

    :raises CheckpointError: ``file`` is not a zip archive.
    """
    file.seek(0)
    head = file.read(4096)
    if head.startswith(_ZIP):
        return
    raise CheckpointError(f"is not a checkpoint, but {_what(head, path)}", where=str(path))


def wrong_members(archive: zipfile.ZipFile, size: int, *, program: bool = False) -> str:
    """Why the members of a zip file of ``size`` bytes are not to be read; empty if they are.

    Nothing but its own size then decides how much memory and time a file takes: members are not
    compressed, and not longer together than the file, so that they cannot overlap much.

    :param program: TorchScript compresses its code; it may become :data:`MAX_PROGRAM` bytes.
    """
    stored = packed = 0
    names: set[str] = set()
    for member in archive.infolist():
        if member.filename in names:  # one is verified, and another program may read the other
            return f"holds {member.filename!r} twice"
        names.add(member.filename)
        if member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & 1:
            stored += member.file_size
        elif program and member.compress_type == zipfile.ZIP_DEFLATED and not member.flag_bits & 1:
            packed += member.file_size
        else:
            return f"holds {member.filename!r} compressed or encrypted"
    if stored > size:
        return f"claims {stored:,} bytes of content in a file of {size:,}"
    if packed > MAX_PROGRAM:
        return f"claims {packed:,} bytes of program, more than {MAX_PROGRAM:,}"
    return ""


def names_in(path: str | Path) -> list[str]:
    """Members of a zip file; none if it is damaged or not a zip file, which reading reports."""
    try:
        if not os.path.isfile(path):  # a pipe would be waited for
            return []
        with open(path, "rb") as file, open_zip(file) as archive:
            return archive.namelist()
    except ZIP_ERRORS:
        return []


def open_zip(file: IO[bytes]) -> zipfile.ZipFile:
    """The zip archive that begins where ``file`` begins.

    ``zipfile`` searches for the table of contents from the end. A file that is cut short behind an
    archive that it contains, such as a serialised tensor, would be taken for the inner archive.

    :raises zipfile.BadZipFile: it has no table of contents.
    """
    archive = zipfile.ZipFile(file)
    if min((one.header_offset for one in archive.infolist()), default=0):
        raise zipfile.BadZipFile("its table of contents is missing")
    return archive


def is_exported(names: Sequence[str]) -> bool:
    """Whether an archive with these ``names`` is a TorchScript program."""
    return any(name.endswith("/constants.pkl") for name in names)


def is_archive(names: Sequence[str]) -> bool:
    """Whether a zip file with these ``names`` is a light archive."""
    return DESCRIPTION in names


def _what(head: bytes, path: Path) -> str:
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return what
    if not head.strip(b"\x00"):
        return "a file of zeros: its writer was stopped, or the disk was full"
    try:
        # an incremental decoder lets the last character be cut
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "an unknown kind of file, or one whose beginning is damaged"
    if path.suffix in (".yaml", ".yml"):
        return "a YAML file; options belong to `mtt train` and `mtt eval`"
    return "a text file"

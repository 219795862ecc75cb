"""Downloaded files by their content, and which content an address had.

``models/SHA256/NAME`` below the cache folder of the user are files, ``addresses/….json`` what is
known of an address. A file has its place there once it is complete, never before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mtt.disk import sync, temporary_folder
from mtt.errors import CheckpointError


class Known(NamedTuple):
    """What an address had when it was last read.

    :param version: by which its server knows the content: ``{"ETag": …}``, ``{"Last-Modified":
        …}`` or ``{"key": …}``; empty where it says nothing.
    :param date: of the download.
    """

    path: Path
    sha256: str
    version: dict[str, str]
    date: str


def folder() -> Path:
    """``$XDG_CACHE_HOME/mtt``, by default ``~/.cache/mtt``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "mtt"


def by_content(sha256: str) -> Path | None:
    """The file with this checksum, if it was downloaded and is undamaged."""
    held = folder() / "models" / sha256
    for path in sorted(held.glob("*")) if sha256 and held.is_dir() else []:
        if checksum(path) == sha256:
            return path
        path.unlink(missing_ok=True)  # damaged on the disk
    return None


def by_address(url: str) -> Known | None:
    """The file that was last downloaded from ``url``, if it is still there and undamaged."""
    try:
        facts = json.loads(_record(url).read_text(encoding="utf-8"))
        sha256, date = str(facts["sha256"]), str(facts["date"])
        version = {str(key): str(value) for key, value in facts["version"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None  # not downloaded yet, or written by another version
    path = by_content(sha256)
    return None if path is None else Known(path, sha256, version, date)


@contextmanager
def unfinished() -> Iterator[Path]:
    """A folder for a download, which is removed at the end, also by the next one after a kill.

    :raises CheckpointError: the cache cannot be written.
    """
    try:
        (folder() / "models").mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder() / "download") as path:
            yield path
    except OSError as error:
        raise CheckpointError(
            f"cannot be written: {error.strerror or error}",
            where=str(folder()),
            hint="make space there, or set XDG_CACHE_HOME to another folder",
        ) from error


def keep(file: Path, sha256: str) -> Path:
    """Give a complete download its place.

    :raises OSError: it cannot be moved there.
    """
    place = folder() / "models" / sha256 / file.name
    place.parent.mkdir(parents=True, exist_ok=True)
    sync(file)
    os.replace(file, place)
    return place


def remember(url: str, known: Known) -> None:
    """Store what ``url`` has.

    :raises CheckpointError: the cache cannot be written.
    """
    facts = {"sha256": known.sha256, "version": known.version, "date": known.date}
    with unfinished() as made:
        record = made / "address.json"
        record.write_text(json.dumps(facts), encoding="utf-8")
        _record(url).parent.mkdir(parents=True, exist_ok=True)
        os.replace(record, _record(url))


def free_bytes() -> int:
    """Space that is left for downloads."""
    return shutil.disk_usage(folder()).free


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record(url: str) -> Path:
    # the address itself may hold a secret
    return folder() / "addresses" / f"{hashlib.sha256(url.encode()).hexdigest()}.json"

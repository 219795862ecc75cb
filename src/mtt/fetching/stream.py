"""The bytes of a download: counted, summed up, and put into a file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple, Protocol

from mtt.errors import CheckpointError
from mtt.fetching import cache
from mtt.progress import Work

MAX_BYTES = 32 * 2**30
"""No model is larger; a server that sends more is wrong, or means harm."""
_CHUNK = 2**20
_PAGES = (b"<!doctype html", b"<html")


class Readable(Protocol):
    """A response of a server, or an open file of another file system."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


class Unchanged(NamedTuple):
    """The server says that the content is the one that was downloaded before."""


class Downloaded(NamedTuple):
    """A complete file, not in its place yet.

    :param version: see :class:`mtt.fetching.cache.Known`.
    """

    path: Path
    sha256: str
    n_bytes: int
    version: dict[str, str]


def save(
    stream: Readable, path: Path, where: str, size: int | None, version: dict[str, str]
) -> Downloaded:
    """Read ``stream`` to its end.

    :param where: its address, for messages.
    :param size: the bytes that the server promised; None where it did not.
    :raises CheckpointError: too many bytes or too few, or a page for people instead of a file.
    :raises OSError: the connection breaks, or the disk is full.
    """
    _check_size(size or 0, where)
    digest, done = hashlib.sha256(), 0
    work = Work(f"downloading {path.name} (MiB)")
    with open(path, "xb") as file:
        while chunk := _chunk(stream, where, done, size):
            if not done and chunk[:64].lstrip().lower().startswith(_PAGES):
                raise page(where)
            done += len(chunk)
            if done > MAX_BYTES:
                raise _too_large(where)
            digest.update(chunk)
            file.write(chunk)
            work(done // 2**20, done / size if size else None)
    work.over()
    if size is not None and done < size:
        raise broken(where, done, size)
    if not done:
        raise CheckpointError("is empty (0 bytes)", where=where)
    return Downloaded(path, digest.hexdigest(), done, version)


def page(where: str) -> CheckpointError:
    """The error for an address that is read in a browser."""
    return CheckpointError(
        "is a page for browsers (HTML), not a file",
        where=where,
        hint="give the address behind its download button; a server may also answer like this "
        "where a login is needed: --token",
    )


def broken(where: str, done: int, size: int | None, why: object = "") -> CheckpointError:
    """The error for a connection that ends too early."""
    of = f" of {size:,}" if size is not None else ""
    because = f" ({why})" if str(why) else ""
    return CheckpointError(
        f"the connection broke after {done:,}{of} bytes{because}; nothing was kept",
        where=where,
        hint="try again",
    )


def _chunk(stream: Readable, where: str, done: int, size: int | None) -> bytes:
    from http.client import HTTPException

    try:
        return stream.read(_CHUNK)
    except (OSError, HTTPException) as error:
        raise broken(where, done, size, _reason(error)) from error


def _reason(error: Exception) -> str:
    return type(error).__name__ if not str(error) or "bytes read" in str(error) else str(error)


def _check_size(size: int, where: str) -> None:
    if size > MAX_BYTES:
        raise _too_large(where)
    if size > (free := cache.free_bytes()):
        raise CheckpointError(
            f"has {size:,} bytes, but {free:,} are free in {cache.folder()}",
            where=where,
            hint="make space there, or set XDG_CACHE_HOME to another folder",
        )


def _too_large(where: str) -> CheckpointError:
    return CheckpointError(
        f"has more than {MAX_BYTES // 2**30} GiB, which no model has",
        where=where,
        hint="if it is one nevertheless, download it yourself and give the file",
    )

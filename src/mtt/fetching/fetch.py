"""A model wherever it is: a path as it is, the file of an address by way of the cache."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from mtt.errors import CheckpointError, MttError, Problem
from mtt.fetching import cache, hub, other, web
from mtt.fetching.address import HUB, Address, is_address, parse, shown
from mtt.fetching.stream import Unchanged

log = logging.getLogger(__name__)


class Fetched(NamedTuple):
    """A file here.

    :param url: the address that it comes from, without secrets; empty for a path.
    :param sha256: empty for a path, which is not read.
    """

    path: Path
    url: str = ""
    sha256: str = ""


def located(source: str | os.PathLike[str], token: str | None = None) -> Fetched:
    """The file at ``source``: a path as it is, which need not exist, or :func:`fetch`.

    :raises CheckpointError: the file of an address cannot be had.
    """
    if is_address(source):
        return fetch(str(source), token)
    return Fetched(Path(source))


@contextmanager
def named_by_address(found: Fetched) -> Iterator[None]:
    """Errors about a downloaded file name its address; where the copy is comes last.

    :param found: of a path, errors stay what they are.
    """
    try:
        yield
    except MttError as error:
        if not found.url:
            raise
        raise type(error).collect([_by_address(one, found) for one in error.problems]) from error


def _by_address(problem: Problem, found: Fetched) -> Problem:
    path = str(found.path)
    if path not in problem.where:
        return problem
    copy = f"its copy is {path}"
    hint = problem.hint if path in problem.hint else "; ".join(filter(None, (problem.hint, copy)))
    return problem._replace(where=problem.where.replace(path, found.url), hint=hint)


def fetch(text: str, token: str | None = None) -> Fetched:
    """Download the file at an address, unless the cache has it; nothing in it is read.

    A server is asked whether its file has changed since. Without a connection the copy
    of the cache is taken, with a warning. An address that demands a checksum
    (``https://…/model.ckpt#sha256=…``) of a file in the cache is not asked.

    :param token: for servers that ask for one.
    :raises CheckpointError: it cannot be had, or has another checksum; nothing is kept then.
    """
    address = parse(text)
    held = cache.by_content(address.sha256)
    if held is not None:
        return _logged(address, held, address.sha256, "in the cache")
    if address.scheme == HUB:
        path = hub.download(address.url, token)
        return _logged(address, path, _checked(address, cache.checksum(path)), "up to date")
    known = cache.by_address(address.url)
    if known is not None and address.sha256:
        known = None  # it is another file than the one that is demanded
    try:
        return _download(address, token, known)
    except web.Unreachable as error:
        if known is None:
            raise
        log.warning("%s; the copy of %s is used", error.problems[0].what, known.date)
        return _logged(address, known.path, known.sha256, "in the cache")


def _download(address: Address, token: str | None, known: cache.Known | None) -> Fetched:
    version = {} if known is None else known.version
    with cache.unfinished() as folder:
        found = (
            web.download(address.url, folder, token, version)
            if address.scheme in ("http", "https")
            else other.download(address.url, folder, version)
        )
        if isinstance(found, Unchanged):
            assert known is not None, "only a known version is asked for"
            return _logged(address, known.path, known.sha256, f"unchanged since {known.date}")
        sha256 = _checked(address, found.sha256)
        path = cache.keep(found.path, sha256)
    date = datetime.now().astimezone().isoformat(" ", "seconds")
    cache.remember(address.url, cache.Known(path, sha256, found.version, date))
    return _logged(address, path, sha256, f"downloaded, {found.n_bytes:,} bytes")


def _checked(address: Address, sha256: str) -> str:
    if address.sha256 and sha256 != address.sha256:
        raise CheckpointError(
            f"has the SHA-256 {sha256}, not {address.sha256}, which is demanded",
            where=shown(address.url),
            hint="it was replaced or altered, or the checksum is of another file",
        )
    return sha256


def _logged(address: Address, path: Path, sha256: str, how: str) -> Fetched:
    url = shown(address.url)
    log.info("%s: %s; SHA-256 %s", url, how, sha256)
    return Fetched(path, url, sha256)

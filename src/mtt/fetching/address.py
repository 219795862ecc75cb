"""Addresses: ``https://…``, ``hf://owner/repo@revision/file``, and whatever fsspec knows."""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from mtt.errors import CheckpointError

HUB = "hf"
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
_CHECKSUM = re.compile(r"#sha256=(.*)\Z", re.DOTALL)
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_HUB_PATH = re.compile(r"([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")
_PAGE = re.compile(r"(/[^/]+/[^/]+)/blob/(.+)")
_SAFE = "/%:?=&~+!$,;'@()*[]"
_UNSAFE = re.compile(r"[^\w.+=-]+")


class Address(NamedTuple):
    """Where a file is, and which content it must have.

    :param url: without the checksum.
    :param sha256: 64 hexadecimal digits in lower case, or empty where any content is taken.
    """

    url: str
    sha256: str = ""

    @property
    def scheme(self) -> str:
        """``https``; in lower case."""
        return self.url.partition("://")[0].lower()


class HubFile(NamedTuple):
    """A file in a repository of the Hugging Face hub.

    :param revision: a branch, a tag or a commit; None for the default branch.
    """

    repo: str
    file: str
    revision: str | None = None


def is_address(source: object) -> bool:
    """Whether ``source`` is an address of the web or of another file system, not a path."""
    return isinstance(source, str) and _SCHEME.match(source) is not None


def parse(text: str) -> Address:
    """The parts of an address; ``#sha256=…`` at its end demands a checksum.

    :raises CheckpointError: it has no host or no file, a password in it, or a checksum that is
        not one.
    """
    found = _CHECKSUM.search(text)
    digest = found[1].lower() if found else ""
    url = text[: found.start()] if found else text
    if found and not _DIGEST.fullmatch(digest):
        what = f"#sha256= is followed by {found[1]!r}, not by 64 hexadecimal digits"
        raise CheckpointError(what, where=shown(url), hint="sha256sum FILE prints them")
    address = Address(url, digest)
    if address.scheme in ("http", "https"):
        return address._replace(url=_web(url))
    if address.scheme == HUB:
        parse_hub(url)
    return address


def parse_hub(url: str) -> HubFile:
    """``hf://owner/repo@revision/file``, as fsspec's ``HfFileSystem`` writes it.

    :raises CheckpointError: it lacks a part.
    """
    found = _HUB_PATH.fullmatch(url.partition("://")[2])
    if found is None:
        raise CheckpointError(
            "does not name a file on the Hugging Face hub",
            where=url,
            hint="write hf://OWNER/REPO/FILE, or hf://OWNER/REPO@REVISION/FILE",
        )
    repo, revision, file = found.groups()
    return HubFile(repo, file, revision)


def hub_url(repo: str, file: str, revision: str | None = None) -> str:
    """The address of a file on the hub."""
    return f"{HUB}://{repo}{f'@{revision}' if revision else ''}/{file}"


def hub_host() -> str:
    """The host of the hub, which the environment may replace by a mirror."""
    return urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co").netloc


def shown(url: str) -> str:
    """``url`` without user, password, query and fragment, which may hold secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0].partition("#")[0]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def file_name(url: str) -> str:
    """A name for the file at ``url`` that is safe on any disk: its last part."""
    name = _UNSAFE.sub("_", unquote(urlsplit(url).path).rpartition("/")[2]).lstrip(".-")
    return name[-128:].lstrip(".-") or "model"


def _web(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise CheckpointError(f"is not an address: {error}", where=shown(url)) from error
    if not host or parts.path in ("", "/"):
        raise CheckpointError("names no file on a server", where=shown(url))
    if "@" in parts.netloc:
        raise CheckpointError(
            "holds a user or a password, which would appear in logs",
            where=shown(url),
            hint="leave them out; --token gives a token",
        )
    page = _PAGE.fullmatch(parts.path)
    if parts.netloc == hub_host() and page:  # the page about the file, not the file
        parts = parts._replace(path=f"{page[1]}/resolve/{page[2]}")
    # as browsers do with what people copy: other letters and spaces are written as %…
    path, query = quote(parts.path, safe=_SAFE), quote(parts.query, safe=_SAFE)
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))

"""Files of HTTP servers, by Python's own client."""

from __future__ import annotations

import os
import ssl
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from mtt._version import __version__
from mtt.errors import CheckpointError
from mtt.fetching.address import file_name, hub_host, shown
from mtt.fetching.stream import Downloaded, Unchanged, page, save

TIMEOUT = 60.0
"""Seconds that a server may be silent."""
_CONDITIONS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
_AUTHORIZATION = "Authorization"
_LOCAL = ("localhost", "127.0.0.1", "::1")
_OFFLINE = "is this machine online? Where it is not, download the file elsewhere and give its path"


class Unreachable(CheckpointError):
    """There is no connection to the server: a copy from before may do."""


def download(
    url: str, folder: Path, token: str | None, version: dict[str, str]
) -> Downloaded | Unchanged:
    """Get ``url`` into ``folder``, unless it is still of that ``version``.

    :param token: sent to this server alone, not to one that it redirects to.
    :param version: see :class:`mtt.fetching.cache.Known`; empty for none.
    :raises Unreachable: the server does not answer at all.
    :raises CheckpointError: it answers something else than the file; the message says what to do.
    """
    where = shown(url)
    secret = token or _token_of_hub(url)
    request = Request(url, headers={"User-Agent": f"mtt/{__version__}"})
    request.add_header("Accept-Encoding", "identity")
    for name, value in version.items():
        if name in _CONDITIONS:
            request.add_header(_CONDITIONS[name], value)
    if secret:
        _check_encrypted(url)
        request.add_unredirected_header(_AUTHORIZATION, f"Bearer {secret}")
    try:
        with _opener().open(request, timeout=TIMEOUT) as response:
            return _save(response, folder / file_name(url), where)
    except HTTPError as error:
        error.close()
        if error.code == 304 and version:
            return Unchanged()
        raise _refused(error, where, secret) from error
    except URLError as error:
        raise _unreachable(error.reason, where) from error
    except (TimeoutError, HTTPException, ConnectionError) as error:
        raise _unreachable(error or type(error).__name__, where) from error


def _opener() -> OpenerDirector:
    return build_opener(_Redirects)


class _Redirects(HTTPRedirectHandler):
    """Follows redirections; a secret stays with the server that it was given for."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if old.scheme == "https" and new.scheme != "https":
            raise CheckpointError(
                f"redirects to {shown(newurl)}, which is not encrypted", where=shown(req.full_url)
            )
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        secret = req.get_header(_AUTHORIZATION)
        if made is not None and secret and (old.scheme, old.netloc) == (new.scheme, new.netloc):
            made.add_unredirected_header(_AUTHORIZATION, secret)
        return made


def _save(response: HTTPResponse, path: Path, where: str) -> Downloaded:
    headers = response.headers
    if headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise page(where)
    coding = headers.get("Content-Encoding", "identity")
    if coding != "identity":
        raise CheckpointError(
            f"the server sends it compressed ({coding}), though it was asked not to", where=where
        )
    version = {name: headers[name] for name in _CONDITIONS if headers.get(name)}
    return save(response, path, where, response.length, version)


def _token_of_hub(url: str) -> str | None:
    return os.environ.get("HF_TOKEN") if urlsplit(url).netloc == hub_host() else None


def _check_encrypted(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOCAL:
        raise CheckpointError(
            "a token would be sent without encryption", where=shown(url), hint="write https://"
        )


def _refused(error: HTTPError, where: str, secret: str | None) -> CheckpointError:
    answer = f"{error.code} {error.reason}".partition("\n")[0].strip()
    if error.code in (401, 403):
        hint = (
            "the token does not permit it; on Hugging Face, accept the licence of the model first"
            if secret
            else "give --token TOKEN, or set HF_TOKEN for Hugging Face"
        )
        what = f"the server asks for a permission ({answer})"
        return CheckpointError(what, where=where, hint=hint)
    if error.code in (404, 410):
        hint = "check the address; a private file may also be answered like this without --token"
        what = f"there is no such file on the server ({answer})"
        return CheckpointError(what, where=where, hint=hint)
    if 300 <= error.code < 400 and error.code != 304:
        return CheckpointError(f"redirects without an end ({error.code})", where=where)
    hint = "try again later" if error.code == 429 or error.code >= 500 else ""
    return CheckpointError(f"the server refuses ({answer})", where=where, hint=hint)


def _unreachable(reason: Any, where: str) -> CheckpointError:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return CheckpointError(
            f"the server's certificate is not valid: {reason.verify_message}", where=where
        )
    said = getattr(reason, "strerror", None) or reason
    return Unreachable(f"the server cannot be reached ({said})", where=where, hint=_OFFLINE)

"""Files are downloaded whole or not at all, once, and with the checksum that is demanded."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest

from mtt import progress
from mtt.errors import CheckpointError
from mtt.fetching import cache, fetch, located, stream
from mtt.fetching.web import _Redirects

BODY = bytes(range(256)) * 20_000  # several reads
DIGEST = hashlib.sha256(BODY).hexdigest()
CLOSED = "http://127.0.0.1:9/model.ckpt"  # the port of a service that no machine runs


def kept() -> list[str]:
    """Files in the cache, whole or not, hidden or not."""
    return sorted(name for _, _, files in os.walk(cache.folder()) for name in files)


def test_a_path_is_left_as_it_is() -> None:
    assert located("nowhere/model.ckpt") == (Path("nowhere/model.ckpt"), "", "")


def test_a_file_is_downloaded_once_and_asked_for_again(
    web: Any, caplog: pytest.LogCaptureFixture
) -> None:
    url = web.file("/models/a.ckpt", BODY)
    with caplog.at_level(logging.INFO):
        first = fetch(f"{url}?signature=hidden")
        second = fetch(f"{url}?signature=hidden")
    assert first == second == (first.path, url, DIGEST)
    assert first.path.name == "a.ckpt"
    assert first.path.read_bytes() == BODY
    assert f"{url}: downloaded, 5,120,000 bytes; SHA-256 {DIGEST}" in caplog.text
    assert f"{url}: unchanged since" in caplog.text
    assert "hidden" not in caplog.text + "".join(kept())
    assert ["If-None-Match" in one for one in web.asked("/models/a.ckpt")] == [False, True]


def test_a_file_that_changed_is_downloaded_again(web: Any) -> None:
    old = fetch(web.file("/a.ckpt", BODY))
    new = fetch(web.file("/a.ckpt", b"other"))
    assert new.path.read_bytes() == b"other"
    assert old.path.read_bytes() == BODY


def test_a_damaged_copy_is_downloaded_again(web: Any) -> None:
    url = web.file("/a.ckpt", BODY)
    path = fetch(url).path
    path.write_bytes(BODY[:-1] + b"x")
    assert fetch(url).path.read_bytes() == BODY


def test_a_checksum_is_demanded(web: Any) -> None:
    url = web.file("/a.ckpt", BODY)
    wrong = "0" * 64
    with pytest.raises(CheckpointError, match=f"has the SHA-256 {DIGEST}, not {wrong}"):
        fetch(f"{url}#sha256={wrong}")
    assert kept() == []
    assert fetch(f"{url}#sha256={DIGEST}").path.read_bytes() == BODY
    web.requests.clear()
    assert fetch(f"{url}#sha256={DIGEST}").sha256 == DIGEST
    assert fetch(f"{CLOSED}#sha256={DIGEST}").sha256 == DIGEST
    assert web.requests == [], "what has this checksum is not asked for"
    with pytest.raises(CheckpointError, match="which is demanded"):
        fetch(f"{url}#sha256={wrong}")


@pytest.mark.parametrize("after", [0, 1000, len(BODY) - 1])
def test_a_connection_that_breaks_leaves_nothing(web: Any, after: int) -> None:
    url = web.breaking("/a.ckpt", BODY, after)
    with pytest.raises(CheckpointError, match=f"broke after {after:,} of 5,120,000 bytes"):
        fetch(url)
    assert kept() == []


def test_a_chunk_that_breaks_leaves_nothing(web: Any) -> None:
    def answer(request: Any) -> None:
        request.send(200, b"5\r\nab", Transfer_Encoding="chunked")

    with pytest.raises(CheckpointError, match=r"broke after \d bytes"):
        fetch(web.at("/a.ckpt", answer))
    assert kept() == []


def test_a_connection_that_breaks_keeps_the_older_copy(web: Any) -> None:
    url = web.file("/a.ckpt", BODY)
    path = fetch(url).path
    web.breaking("/a.ckpt", b"new" * 1000, 10)
    with pytest.raises(CheckpointError, match="broke after 10 of 3,000 bytes"):
        fetch(url)
    assert path.read_bytes() == BODY
    web.file("/a.ckpt", BODY)
    assert fetch(url).path == path


def test_an_answer_without_a_length_is_taken_whole(web: Any) -> None:
    def answer(request: Any) -> None:
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b"abc", b"def"))
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(body + b"0\r\n\r\n")

    assert fetch(web.at("/a.ckpt", answer)).path.read_bytes() == b"abcdef"


REFUSED: dict[str, tuple[Callable[[Any], str], str]] = {
    "404": (lambda web: web.url + "/a.ckpt", r"no such file on the server \(404 .*check the addr"),
    "401": (lambda web: web.private("/a", BODY, "t"), r"asks for a permission \(401 .*--token TO"),
    "403": (lambda web: web.status("/a", 403), r"asks for a permission \(403 .*HF_TOKEN"),
    "500": (lambda web: web.status("/a", 500), r"the server refuses \(500 .*try again later"),
    "304": (lambda web: web.status("/a", 304), r"the server refuses \(304 "),
    "a circle": (
        lambda web: web.status("/a", 302, Location=f"{web.url}/a"),
        r"redirects without an end \(302\)",
    ),
    "a page": (
        lambda web: web.at("/a", lambda one: one.send(200, b"hello", Content_Type="text/html")),
        r"is a page for browsers \(HTML\), not a file; give the address behind its download",
    ),
    "a page that looks like a file": (
        lambda web: web.file("/a", b"\n <!DOCTYPE html><title>Sign in</title>"),
        r"is a page for browsers \(HTML\), not a file",
    ),
    "compressed": (
        lambda web: web.at("/a", lambda one: one.send(200, b"x", Content_Encoding="gzip")),
        r"the server sends it compressed \(gzip\)",
    ),
    "empty": (lambda web: web.file("/a", b""), r"is empty \(0 bytes\)"),
    "another program": (
        lambda web: web.status("/a", 302, Location="file:///etc/passwd"),
        r"redirects without an end \(302\)|refuses",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_a_file_is_named_and_leaves_nothing(web: Any, name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(CheckpointError, match=message) as error:
        fetch(make(web))
    assert len(error.value.problems) == 1
    assert kept() == []


def test_without_a_connection_the_copy_is_taken_and_without_one_it_is_said(
    web: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(CheckpointError, match=r"cannot be reached \(.*is this machine online\?"):
        fetch(CLOSED)
    url = web.file("/a.ckpt", BODY)
    known = cache.by_address(url)
    assert known is None
    path = fetch(url).path
    known = cache.by_address(url)
    assert known is not None
    cache.remember(CLOSED, known)
    assert fetch(CLOSED).path == path
    assert (
        f"cannot be reached (Connection refused); the copy of {known.date} is used" in caplog.text
    )


def test_a_token_is_sent_to_its_server_alone(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url = web.private("/private.ckpt", BODY, "hidden")
    assert fetch(url, "hidden").path.read_bytes() == BODY
    with pytest.raises(CheckpointError, match=r"\(401 .*the token does not permit it") as error:
        fetch(url, "wrong")
    assert "wrong" not in str(error.value)
    same = web.status("/moved", 302, Location="/private.ckpt")
    assert fetch(same, "hidden").path.read_bytes() == BODY
    elsewhere = url.replace("127.0.0.1", "localhost")
    with pytest.raises(CheckpointError, match="401"):
        fetch(web.status("/away", 302, Location=elsewhere), "hidden")
    assert "Authorization" not in web.asked("/private.ckpt")[-1]
    with pytest.raises(CheckpointError, match="a token would be sent without encryption; write h"):
        fetch("http://example.org/a.ckpt", "hidden")
    monkeypatch.setenv("HF_TOKEN", "hidden")
    with pytest.raises(CheckpointError, match="401"):
        fetch(url)
    assert "Authorization" not in web.asked("/private.ckpt")[-1], "this is not Hugging Face"
    monkeypatch.setenv("HF_ENDPOINT", web.url)
    assert fetch(url).path.read_bytes() == BODY
    assert "hidden" not in "".join(path.read_text() for path in cache.folder().rglob("*.json"))


def test_a_redirection_that_is_not_encrypted_is_refused() -> None:
    request = Request("https://example.org/a.ckpt")
    answer = (io.BytesIO(), 302, "Found", Message())
    with pytest.raises(CheckpointError, match=r"redirects to http://example\.org/b, which is not"):
        _Redirects().redirect_request(request, *answer, "http://example.org/b?signature=x")
    new = _Redirects().redirect_request(request, *answer, "https://example.org/b")
    assert new is not None
    assert new.full_url == "https://example.org/b"


def test_more_than_a_model_or_than_the_disk_has_is_refused(
    web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(request: Any) -> None:
        request.send_response(200)
        request.end_headers()
        with pytest.raises(OSError, match=r"."):
            while True:
                request.wfile.write(bytes(2**16))

    with monkeypatch.context() as patch:
        patch.setattr(stream, "MAX_BYTES", 2**20)
        for url in (web.file("/a.ckpt", BODY), web.at("/endless", endless)):
            with pytest.raises(CheckpointError, match="has more than 0 GiB, which no model has"):
                fetch(url)
    monkeypatch.setattr(cache, "free_bytes", lambda: 1000)
    with pytest.raises(CheckpointError, match=r"has 5,120,000 bytes, but 1,000 are free .*XDG_"):
        fetch(web.url + "/a.ckpt")
    assert kept() == []


def test_a_cache_that_cannot_be_written_is_named(
    web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(CheckpointError, match=r"file/mtt: cannot be written: .*XDG_CACHE_HOME"):
        fetch(web.file("/a.ckpt", BODY))


def test_a_download_reports_its_progress(web: Any) -> None:
    class Watcher:
        seen: list[tuple[str, int, float | None]] = []

        def __call__(self, work: str, count: int, share: float | None) -> None:
            self.seen.append((work, count, share))

        def over(self, work: str) -> None:
            self.seen.append((work, -1, None))

    url = web.file("/a.ckpt", BODY)
    with progress.watching(Watcher()):
        fetch(url)
    assert Watcher.seen[0][0] == "downloading a.ckpt (MiB)"
    assert 0 < (Watcher.seen[0][2] or 0) <= 1
    assert Watcher.seen[-1] == ("downloading a.ckpt (MiB)", -1, None)

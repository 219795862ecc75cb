"""A server in a thread: files, errors, broken connections."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Looks answers up in the server's table."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.requests.append((path, dict(self.headers)))
        answer = self.server.answers.get(path)
        if answer is None:
            self.send(404, b"no such thing")
        else:
            answer(self)

    do_HEAD = do_GET  # noqa: N815

    def send(self, code: int, body: bytes = b"", /, **headers: str) -> None:
        """An honest answer."""
        if "Transfer_Encoding" not in headers:
            headers = {"Content_Length": str(len(body))} | headers
        headers["Connection"] = "close"
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


class Server(ThreadingHTTPServer):
    """Answers by path, and the requests that came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, Mapping[str, str]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def at(self, path: str, answer: Answer) -> str:
        """Answer requests for ``path``; its address."""
        self.answers[path] = answer
        return self.url + path

    def file(self, path: str, body: bytes) -> str:
        """A file with an ETag, which is not sent again where it is known."""
        tag = f'"{hashlib.md5(body).hexdigest()}"'

        def answer(request: Handler) -> None:
            if request.headers.get("If-None-Match") == tag:
                request.send(304, ETag=tag)
            else:
                request.send(200, body, ETag=tag)

        return self.at(path, answer)

    def breaking(self, path: str, body: bytes, after: int) -> str:
        """A file whose connection ends ``after`` some bytes."""

        def answer(request: Handler) -> None:
            request.send(200, body[:after], Content_Length=str(len(body)))

        return self.at(path, answer)

    def status(self, path: str, code: int, **headers: str) -> str:
        """Nothing but a status code."""
        return self.at(path, lambda request: request.send(code, b"", **headers))

    def private(self, path: str, body: bytes, token: str) -> str:
        """A file for those who know the token."""

        def answer(request: Handler) -> None:
            known = request.headers.get("Authorization") == f"Bearer {token}"
            request.send(200, body) if known else request.send(401)

        return self.at(path, answer)

    def asked(self, path: str) -> list[Mapping[str, str]]:
        """Headers of all requests for ``path``."""
        return [headers for one, headers in self.requests if one == path]


@contextmanager
def serving(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server for the time of the block, and nothing of the user's settings.

    :param cache: the folder of downloads.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("no_proxy", "*")
    for name in ("HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

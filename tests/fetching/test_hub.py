"""Files of the Hugging Face hub: its client asks a server on this machine in place of the hub."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mtt.errors import CheckpointError
from mtt.fetching import fetch, hub
from mtt.fetching.address import HubFile

BODY = b"weights" * 1000
COMMIT = "c" * 40
HEADERS = {"X_Repo_Commit": COMMIT, "ETag": f'"{hashlib.sha256(BODY).hexdigest()}"'}


def test_huggingface_hub_is_asked_for_where_it_is_missing_or_too_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        CheckpointError,
        match=r"hf://owner/repo@v1/a\.ckpt: this needs the package huggingface_hub, which is not "
        r"installed; pip install 'mtt\[hub\]'; or give the address of the file, "
        r"https://huggingface\.co/owner/repo/resolve/v1/a\.ckpt",
    ):
        fetch("hf://owner/repo@v1/a.ckpt")


@pytest.mark.parametrize(("found", "old"), [("0.29.3", True), ("0.30.0", False), ("1.2", False)])
def test_an_older_huggingface_hub_is_refused_before_it_is_asked(
    found: str, old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "find_spec", lambda _: object())
    monkeypatch.setattr(hub, "version", lambda _: found)
    one = HubFile("owner/repo", "a.ckpt")
    if not old:
        hub._check_package("hf://owner/repo/a.ckpt", one)
        return
    message = (
        r"huggingface_hub 0\.29\.3 is installed, but 0\.30 or later is needed; pip install 'mtt"
    )
    with pytest.raises(CheckpointError, match=message):
        hub.download("hf://owner/repo/a.ckpt", None)


@pytest.fixture
def huggingface(web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The server, which the client takes for the hub."""
    client = pytest.importorskip("huggingface_hub")
    for name in [one for one in sys.modules if one.partition(".")[0] == client.__name__]:
        monkeypatch.delitem(sys.modules, name)  # it reads its settings when it is imported
    monkeypatch.setenv("HF_ENDPOINT", web.url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "5")
    return web


def serve(huggingface: Any, path: str, token: str = "") -> None:
    def answer(request: Any) -> None:
        if token and request.headers.get("Authorization") != f"Bearer {token}":
            request.send(401, b"", X_Error_Code="RepoNotFound")
        else:
            request.send(200, BODY, **HEADERS)

    huggingface.at(path, answer)


def missing(huggingface: Any, path: str, code: str) -> None:
    huggingface.at(path, lambda one: one.send(404, b"", X_Error_Code=code, X_Repo_Commit=COMMIT))


def test_a_file_of_a_repository_is_downloaded_once(huggingface: Any, tmp_path: Path) -> None:
    serve(huggingface, "/owner/repo/resolve/v1/models/a.ckpt")
    found = fetch("hf://owner/repo@v1/models/a.ckpt")
    assert found.path.read_bytes() == BODY
    assert found.path.name == "a.ckpt"
    assert found.url == "hf://owner/repo@v1/models/a.ckpt"
    assert found.sha256 == hashlib.sha256(BODY).hexdigest()
    assert found.path.is_relative_to(tmp_path / "hub"), "other programs share it"
    assert fetch(f"{found.url}#sha256={found.sha256}").path == found.path
    with pytest.raises(CheckpointError, match="which is demanded"):
        fetch(f"{found.url}#sha256={'0' * 64}")


def test_a_token_opens_a_private_repository(
    huggingface: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(huggingface, "/owner/repo/resolve/main/a.ckpt", token="hidden")
    with pytest.raises(CheckpointError, match=r"there is no repository owner/repo; .*needs --tok"):
        fetch("hf://owner/repo/a.ckpt")
    assert fetch("hf://owner/repo/a.ckpt", "hidden").path.read_bytes() == BODY


def test_what_a_repository_has_not_is_named(huggingface: Any) -> None:
    missing(huggingface, "/owner/repo/resolve/main/models/b.ckpt", "EntryNotFound")
    files = [{"type": "file", "path": one, "size": 1, "oid": "0"} for one in ("models/a.ckpt", "x")]
    siblings = [{"rfilename": one["path"]} for one in files]
    known = json.dumps({"id": "owner/repo", "sha": COMMIT, "siblings": siblings}).encode()
    huggingface.at("/api/models/owner/repo", lambda one: one.send(200, known))
    tree = json.dumps(files).encode()
    huggingface.at("/api/models/owner/repo/tree/main", lambda one: one.send(200, tree))
    with pytest.raises(CheckpointError, match=r"has no file 'models/b\.ckpt'; did you mean 'mode"):
        fetch("hf://owner/repo/models/b.ckpt")
    missing(huggingface, "/owner/repo/resolve/v9/a.ckpt", "RevisionNotFound")
    with pytest.raises(CheckpointError, match="owner/repo has no branch, tag or commit 'v9'"):
        fetch("hf://owner/repo@v9/a.ckpt")
    huggingface.at(
        "/owner/gated/resolve/main/a.ckpt", lambda one: one.send(403, b"", X_Error_Code="GatedRepo")
    )
    with pytest.raises(CheckpointError, match=r"is gated; accept its licence at huggingface\.co"):
        fetch("hf://owner/gated/a.ckpt")
    with pytest.raises(CheckpointError, match="is not a name on the hub"):
        fetch("hf://owner/re--po/a.ckpt")


def test_a_download_from_the_hub_that_breaks_is_one_message(
    huggingface: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)  # it tries again after pauses
    path = "/owner/repo/resolve/main/a.ckpt"
    cut = {**HEADERS, "Content_Length": str(len(BODY))}
    huggingface.at(
        path, lambda one: one.send(200, BODY if one.command == "HEAD" else BODY[:10], **cut)
    )
    with pytest.raises(CheckpointError, match="cannot be downloaded: ") as error:
        fetch("hf://owner/repo/a.ckpt")
    assert len(error.value.problems) == 1


def test_the_hub_without_a_connection_is_said(
    huggingface: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match="the Hugging Face hub cannot be reached, and there"):
        fetch("hf://owner/repo/a.ckpt")


def test_the_oldest_version_is_that_of_the_extra(root: Path) -> None:
    oldest = ".".join(map(str, hub.OLDEST))
    assert f'hub = ["huggingface-hub>={oldest}"]' in (root / "pyproject.toml").read_text()

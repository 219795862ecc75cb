"""Other file systems, by fsspec; its memory is one of them."""

from __future__ import annotations

import sys
from typing import Any

import fsspec
import pytest

from mtt.errors import CheckpointError
from mtt.fetching import fetch


def test_a_file_of_another_file_system_is_downloaded_once(web: Any) -> None:
    with fsspec.open("memory://models/a.ckpt", "wb") as file:
        file.write(b"weights")
    one = fetch("memory://models/a.ckpt")
    assert one.path.read_bytes() == b"weights"
    again = fetch("memory://models/a.ckpt")
    assert again == one
    with fsspec.open("memory://models/a.ckpt", "wb") as file:
        file.write(b"newer")
    assert fetch("memory://models/a.ckpt").path.read_bytes() == b"newer"


def test_what_cannot_be_read_there_is_one_message(web: Any) -> None:
    with pytest.raises(CheckpointError, match=r"memory://nothing/a\.ckpt: no such file"):
        fetch("memory://nothing/a.ckpt")
    with pytest.raises(CheckpointError, match=r"cannot be downloaded: Protocol not known: gopher"):
        fetch("gopher://example.org/a.ckpt")


def test_fsspec_is_asked_for_where_it_is_missing(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(CheckpointError, match=r"need the package fsspec.*pip install 'mtt\[remote"):
        fetch("s3://bucket/a.ckpt")

"""Copies at a URL: whole, in order, retried, reported, and waited for."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from mtt.workflows.run.remote import RemoteCopy

URL = "slow://bucket/project"


class SlowFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """A store that notes what comes, can be slow, and fails as often as told."""

    protocol = "slow"
    cachable = False
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    came: ClassVar[list[str]] = []
    failures: ClassVar[dict[str, int]] = {}
    open_for_business: ClassVar[threading.Event] = threading.Event()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        stripped: str = super()._strip_protocol(path.replace("slow://", "memory://"))
        return stripped

    def put_file(self, lpath: str, rpath: str, **kwargs: Any) -> None:
        self.open_for_business.wait(20)
        name = self._strip_protocol(rpath).removeprefix("/bucket/project/")
        if self.failures.get(name, 0) > 0:
            self.failures[name] -= 1
            raise ConnectionError("the line is dead")
        self.came.append(name)
        super().put_file(lpath, rpath, **kwargs)

    @classmethod
    def content(cls, name: str) -> bytes:
        value: bytes = cls.store[f"/bucket/project/{name}"].getvalue()
        return value


@pytest.fixture(autouse=True)
def store() -> Iterator[type[SlowFileSystem]]:
    fsspec.register_implementation("slow", SlowFileSystem, clobber=True)
    for state in (SlowFileSystem.store, SlowFileSystem.came, SlowFileSystem.failures):
        state.clear()
    SlowFileSystem.open_for_business.set()
    yield SlowFileSystem
    SlowFileSystem.open_for_business.set()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run folder with a log and a checkpoint."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "train.log").write_text("begin\n")
    replace(tmp_path / "checkpoints" / "last.ckpt", b"one")
    return tmp_path


def replace(path: Path, content: bytes) -> None:
    """As checkpoints are written: whole, then in place."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def wait_for(store: type[SlowFileSystem], n: int) -> None:
    deadline = time.monotonic() + 10
    while len(store.came) < n:
        assert time.monotonic() < deadline, store.came
        time.sleep(0.005)


def test_files_come_whole_and_in_the_order_of_events(
    root: Path, store: type[SlowFileSystem]
) -> None:
    copy = RemoteCopy(URL, root)
    copy("run_start", {}, 0)
    wait_for(store, 2)
    replace(root / "checkpoints" / "best.ckpt", b"best")
    copy("checkpoint", {}, 1)
    wait_for(store, 3)
    with open(root / "train.log", "a") as log:
        log.write("epoch 1\n")
    replace(root / "checkpoints" / "last.ckpt", b"two" * 10_000)
    copy("checkpoint", {}, 1)
    wait_for(store, 5)
    (root / "model.pt").write_bytes(b"model")
    (root / "tensorboard").mkdir()
    (root / "tensorboard" / "events").write_bytes(b"curves")
    copy.close()
    assert store.came == [
        "train.log", "checkpoints/last.ckpt", "checkpoints/best.ckpt", "train.log",
        "checkpoints/last.ckpt", "model.pt", "tensorboard/events",
    ]  # fmt: skip
    for name in set(store.came):
        here, there = (root / name).read_bytes(), store.content(name)
        assert hashlib.sha256(here).digest() == hashlib.sha256(there).digest(), name
    assert not (root / ".remote").exists()


def test_a_slow_store_never_blocks_and_gets_the_file_as_it_was_at_the_event(
    root: Path, store: type[SlowFileSystem]
) -> None:
    store.open_for_business.clear()
    copy = RemoteCopy(URL, root)
    started = time.monotonic()
    copy("run_start", {}, 0)
    for i in range(50):
        replace(root / "checkpoints" / "last.ckpt", b"version %d" % i)
        copy("checkpoint", {}, i)
    # written after the event, so it belongs to the next one
    replace(root / "checkpoints" / "last.ckpt", b"later")
    assert time.monotonic() - started < 10  # the store would have taken 20 s for each
    store.open_for_business.set()
    wait_for(store, 2)
    assert store.content("checkpoints/last.ckpt") in (b"one", b"version 49")
    copy.close()
    assert store.content("checkpoints/last.ckpt") == b"later"
    assert len(store.came) <= 4  # of a file that waits, the newest


def test_a_failed_copy_is_tried_again(
    root: Path, store: type[SlowFileSystem], caplog: pytest.LogCaptureFixture
) -> None:
    store.failures["train.log"] = 2
    copy = RemoteCopy(URL, root, pauses=(0.01, 0.02))
    with caplog.at_level(logging.WARNING, "mtt"):
        copy("run_start", {}, 0)
        copy.close()
    assert store.came == ["train.log", "checkpoints/last.ckpt"]
    assert not caplog.messages


def test_a_copy_that_keeps_failing_is_reported_with_file_and_url_and_tried_at_the_end(
    root: Path, store: type[SlowFileSystem], caplog: pytest.LogCaptureFixture
) -> None:
    store.failures["train.log"] = 3
    copy = RemoteCopy(URL, root, pauses=(0.01, 0.02))
    with caplog.at_level(logging.WARNING, "mtt"):
        copy("run_start", {}, 0)
        wait_for(store, 1)
        copy.close()
    assert caplog.messages == [
        "train.log was not copied to slow://bucket/project/train.log in 3 attempts "
        "(ConnectionError: the line is dead); the training continues"
    ]
    assert store.came == ["checkpoints/last.ckpt", "train.log"]


def test_the_end_waits_for_copies_but_not_for_ever(
    root: Path, store: type[SlowFileSystem], caplog: pytest.LogCaptureFixture
) -> None:
    store.open_for_business.clear()
    copy = RemoteCopy(URL, root, patience=0.1)
    with caplog.at_level(logging.WARNING, "mtt"):
        copy("run_start", {}, 0)
        copy.close()
    assert caplog.messages == [
        "not copied to slow://bucket/project within 0.1 s, and given up: "
        "train.log, checkpoints/last.ckpt"
    ]


def test_a_folder_never_shows_half_a_file(root: Path, tmp_path_factory: Any) -> None:
    there = tmp_path_factory.mktemp("there")
    copy = RemoteCopy(f"file://{there}/project", root)
    copy("checkpoint", {}, 1)
    copy.close()
    found = sorted(path.relative_to(there) for path in there.rglob("*") if path.is_file())
    assert found == [Path("project/checkpoints/last.ckpt"), Path("project/train.log")]
    assert (there / "project/checkpoints/last.ckpt").read_bytes() == b"one"

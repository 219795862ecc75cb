"""Writing: whole, verified, in place, or not at all."""

from __future__ import annotations

import os
import re
import resource
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtt import __version__
from mtt.checkpoint import read, write
from mtt.errors import CheckpointError


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_what_is_read_is_what_was_written(file, checkpoint, same) -> None:
    content = read(file)
    assert content.pop("format_version") == 1
    assert content.pop("mtt_version") == __version__
    assert same(content, checkpoint)


def test_nothing_but_the_checkpoint_is_left_in_the_folder(file) -> None:
    assert names(file.parent) == ["last.ckpt"]


def test_a_name_with_brackets_is_a_name_like_any_other(tmp_path, checkpoint) -> None:
    path = tmp_path / "run[1]*.ckpt"
    write(path, checkpoint)
    write(path, checkpoint)
    assert names(tmp_path) == [path.name]


def test_others_may_read_it_as_the_umask_allows(tmp_path, checkpoint) -> None:
    old = os.umask(0o027)
    try:
        write(tmp_path / "a.ckpt", checkpoint)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.ckpt").stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path, checkpoint) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "model.ckpt"
    link.symlink_to(tmp_path / "disk" / "real.ckpt")
    write(link, checkpoint)
    assert link.is_symlink()
    assert read(tmp_path / "disk" / "real.ckpt")["epoch"] == 3


def test_an_existing_file_can_be_kept(file, checkpoint) -> None:
    write(file, checkpoint | {"epoch": 4}, keep=file.with_name("before.ckpt"))
    assert read(file)["epoch"] == 4
    assert read(file.with_name("before.ckpt"))["epoch"] == 3


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (np.float64(1.0), "numpy.float64"),
        (np.zeros(2), "numpy.ndarray"),
        (Path("a"), "PosixPath"),
        (Counter("aa"), "collections.Counter"),
        (frozenset({1}), "builtins.frozenset"),
        (torch.nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
        (torch.ones(2, device="meta"), "a tensor without values"),
    ],
)
def test_a_value_that_could_not_be_read_back_is_refused_by_its_place(
    file, checkpoint, same, value, name
) -> None:
    checkpoint["trainer_state"]["notes"] = [1, {"a": value}]
    message = re.escape("""trainer_state['notes'][1]['a'] is """) + ".*" + re.escape(name)
    with pytest.raises(CheckpointError, match=message):
        write(file, checkpoint)
    assert read(file)["trainer_state"].keys() == {"step", "optimizer", "rng"}
    assert names(file.parent) == ["last.ckpt"]


def test_all_values_that_could_not_be_read_back_are_reported_at_once(tmp_path, checkpoint) -> None:
    bad = checkpoint | {"epoch": np.int64(3), "trainer_state": {(1, Path("a")): 2}}
    with pytest.raises(CheckpointError) as caught:
        write(tmp_path / "a.ckpt", bad)
    epoch, key = caught.value.problems
    assert epoch.what.startswith("epoch is numpy.int64")
    assert key.what.startswith("trainer_state[(1, PosixPath('a'))] is a key of type")


@pytest.mark.parametrize(
    "value",
    [
        None, True, 2**80, 1.5, float("inf"), 1j, "ä", b"\xff", (1, [2]), {1, 2},
        {1: {(2, "a"): 3}}, torch.float32, torch.device("cpu"), torch.Size([2]),
        torch.nn.Parameter(torch.ones(2)), torch.ones(2).to_sparse(), torch.ones(0),
        torch.ones(2, dtype=torch.bfloat16), np.random.default_rng(0).bit_generator.state,
    ],
    ids=str,
)  # fmt: skip
def test_tensors_and_plain_types_come_back_as_they_were(tmp_path, checkpoint, value) -> None:
    write(tmp_path / "a.ckpt", checkpoint | {"trainer_state": value})
    again = read(tmp_path / "a.ckpt")["trainer_state"]
    assert type(again) is type(value)
    assert str(again) == str(value)


def test_a_folder_that_is_not_there_is_named(tmp_path, checkpoint) -> None:
    with pytest.raises(CheckpointError, match=r"No such file.*there is no folder .*absent"):
        write(tmp_path / "absent" / "a.ckpt", checkpoint)


def test_a_folder_cannot_be_overwritten(tmp_path, checkpoint) -> None:
    (tmp_path / "a.ckpt").mkdir()
    with pytest.raises(CheckpointError, match=r"a\.ckpt: cannot be written .*Is a directory"):
        write(tmp_path / "a.ckpt", checkpoint)
    assert names(tmp_path) == ["a.ckpt"]


@pytest.mark.parametrize("n", [1_000_000, 24_700])  # stops in the middle, in the last bytes
def test_a_full_device_is_reported_with_its_bytes(file, checkpoint, n) -> None:
    large = checkpoint | {"epoch": 4, "model_state_dict": {"w": torch.zeros(n)}}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # Python ignores its signal
    try:
        with pytest.raises(CheckpointError) as caught:
            write(file, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    needed = int(re.search(r"\(([\d,]+) bytes of tensors\)", str(caught.value))[1].replace(",", ""))
    assert 4 * n < needed < 4 * n + 10_000
    assert re.search(r"last\.ckpt: cannot be written .*: File too large", str(caught.value))
    assert read(file)["epoch"] == 3
    assert names(file.parent) == ["last.ckpt"]


def test_what_a_killed_process_left_is_removed_by_the_next_write(file, checkpoint) -> None:
    (file.parent / ".last.ckpt.0123abcd.tmp").write_bytes(b"half")
    (file.parent / ".best.ckpt.0123abcd.tmp").write_bytes(b"half of another one")
    (file.parent / ".notes.tmp").write_bytes(b"not ours")
    write(file, checkpoint)
    assert names(file.parent) == [".notes.tmp", "last.ckpt"]


def test_a_write_under_way_is_not_taken_for_stale(file, checkpoint, monkeypatch) -> None:
    def write_another(descriptor: int) -> None:
        monkeypatch.undo()
        write(file, checkpoint | {"epoch": 10})
        os.fsync(descriptor)

    monkeypatch.setattr(os, "fsync", write_another)
    write(file, checkpoint | {"epoch": 11})
    assert read(file)["epoch"] == 11
    assert names(file.parent) == ["last.ckpt"]


def test_an_interrupt_removes_the_temporary_file(file, checkpoint, monkeypatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(file, checkpoint | {"epoch": 4})
    assert names(file.parent) == ["last.ckpt"]
    assert read(file)["epoch"] == 3


def test_a_disk_that_alters_what_is_written_is_noticed(file, checkpoint, monkeypatch) -> None:
    def alter(descriptor: int) -> None:
        os.pwrite(descriptor, b"\xff\xff\xff\xff", os.fstat(descriptor).st_size // 2)

    monkeypatch.setattr(os, "fsync", alter)
    with pytest.raises(CheckpointError, match="what reached the disk differs"):
        write(file, checkpoint | {"epoch": 4})
    monkeypatch.undo()
    assert read(file)["epoch"] == 3
    assert names(file.parent) == ["last.ckpt"]


def test_a_forgotten_version_is_our_own_mistake(tmp_path: Path) -> None:
    content: dict[str, Any] = {"architecture_name": "a"}
    with pytest.raises(AssertionError, match="model_ckpt_version"):
        write(tmp_path / "a.ckpt", content)

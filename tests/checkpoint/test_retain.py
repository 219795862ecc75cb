"""Which checkpoints are kept, and which one a restart takes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtt.checkpoint import find_latest_run, newest_valid, read, write, write_last

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path, checkpoint: dict[str, Any]) -> Save:
    """Writes the small checkpoint under a name, at an epoch and a step."""

    def write_one(name: str, epoch: int | None = None, step: int | None = None) -> Path:
        content = {k: v for k, v in checkpoint.items() if k not in ("epoch", "trainer_state")}
        content |= {} if epoch is None else {"epoch": epoch}
        content |= {} if step is None else {"trainer_state": {"step": step}}
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, content)
        return path

    return write_one


def test_two_generations_of_the_last_checkpoint_are_kept(tmp_path, checkpoint) -> None:
    for epoch in (1, 2, 3):
        assert write_last(tmp_path, checkpoint | {"epoch": epoch}) == tmp_path / "last.ckpt"
    assert read(tmp_path / "last.ckpt")["epoch"] == 3
    assert read(tmp_path / "last.previous.ckpt")["epoch"] == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_generation_does_not_replace_a_good_one(tmp_path, checkpoint) -> None:
    for epoch in (1, 2):
        write_last(tmp_path, checkpoint | {"epoch": epoch})
    (tmp_path / "last.ckpt").write_bytes(b"")
    write_last(tmp_path, checkpoint | {"epoch": 3})
    assert read(tmp_path / "last.ckpt")["epoch"] == 3
    assert read(tmp_path / "last.previous.ckpt")["epoch"] == 1
    assert (tmp_path / "last.ckpt.damaged").stat().st_size == 0


def test_an_empty_folder_has_no_newest_checkpoint(tmp_path) -> None:
    assert newest_valid(tmp_path) == (None, ())
    assert newest_valid(tmp_path / "absent") == (None, ())


def test_the_newest_is_the_one_that_came_furthest_not_the_youngest_file(tmp_path, save) -> None:
    newest = save("epoch_10.ckpt", 10)
    for name, epoch in (("epoch_9.ckpt", 9), ("best.ckpt", 4), ("last.previous.ckpt", 8)):
        save(name, epoch)
    os.utime(newest, (0, 0))
    assert newest_valid(tmp_path) == (newest, ())


def test_within_an_epoch_the_step_decides(tmp_path, save) -> None:
    save("a.ckpt", 3, 30)
    newest = save("b.ckpt", 3, 31)
    save("c.ckpt", 3)
    assert newest_valid(tmp_path).path == newest


def test_of_equals_the_last_one_is_taken(tmp_path, save) -> None:
    for name in ("best.ckpt", "last.ckpt", "zzz.ckpt"):
        save(name, 3, 30)
    assert newest_valid(tmp_path).path == tmp_path / "last.ckpt"


def test_without_any_epoch_inside_the_number_in_the_name_decides(tmp_path, save) -> None:
    for name in ("model_9.ckpt", "model_10.ckpt", "model_0.ckpt"):
        save(name)
    assert newest_valid(tmp_path).path == tmp_path / "model_10.ckpt"


@pytest.mark.parametrize("epoch", [float("nan"), "three", True, torch.tensor(7)])
def test_an_epoch_that_is_not_a_number_counts_as_none(tmp_path, checkpoint, epoch) -> None:
    write(tmp_path / "a.ckpt", checkpoint | {"epoch": epoch})
    write(tmp_path / "b.ckpt", checkpoint | {"epoch": 0})
    assert newest_valid(tmp_path).path == tmp_path / "b.ckpt"


def test_the_newest_valid_one_is_taken_and_damaged_ones_are_reported(
    tmp_path, save, flip, inside
) -> None:
    good = save("epoch_2.ckpt", 2)
    empty = save("epoch_3.ckpt", 3)
    empty.write_bytes(b"")
    cut = save("epoch_4.ckpt", 4)
    cut.write_bytes(cut.read_bytes()[:-1])
    flipped = save("last.ckpt", 5)
    flip(flipped, inside(flipped, "/data/0"))
    save("epoch_1.ckpt", 1)

    found = newest_valid(tmp_path)
    assert found.path == good
    assert {problem.where for problem in found.damaged} == {str(empty), str(cut), str(flipped)}
    assert all("damaged" in p.what or "is empty" in p.what for p in found.damaged)


def test_torch_files_that_are_not_checkpoints_are_skipped(tmp_path, save) -> None:
    good = save("last.ckpt", 2)
    torch.save({"weights": torch.ones(2)}, tmp_path / "composition_model.ckpt")
    found = newest_valid(tmp_path)
    assert found.path == good
    assert "not a checkpoint of a model" in found.damaged[0].what


def test_temporary_files_are_not_candidates(tmp_path, save) -> None:
    path = save("last.ckpt", 2)
    shutil.copy(path, tmp_path / ".last.ckpt.00000000.tmp")
    shutil.copy(path, tmp_path / "last.ckpt.damaged")
    path.unlink()
    assert newest_valid(tmp_path).path is None


def test_the_latest_run_goes_by_its_name(tmp_path, save) -> None:
    latest = save("2026-01-10/09-00-00.10/checkpoints/last.ckpt", 1)
    save("2026-01-10/09-00-00.9/checkpoints/last.ckpt", 7)
    save("2026-01-10/09-00-00/checkpoints/last.ckpt", 8)
    save("2026-01-09/23-00-00/checkpoints/last.ckpt", 9)
    save("archive/2026-01-11/checkpoints/last.ckpt", 10)
    save("2026-01-11/notes/checkpoints/last.ckpt", 11)
    assert find_latest_run(tmp_path) == (latest, ())


def test_a_run_without_a_checkpoint_is_passed_over(tmp_path, save) -> None:
    earlier = save("2026-01-10/09-00-00/checkpoints/last.ckpt", 1)
    (tmp_path / "2026-01-11" / "09-00-00" / "checkpoints").mkdir(parents=True)
    damaged = save("2026-01-10/10-00-00/checkpoints/last.ckpt", 2)
    damaged.write_bytes(b"")
    found = find_latest_run(tmp_path)
    assert found.path == earlier
    assert [problem.where for problem in found.damaged] == [str(damaged)]


def test_the_final_model_of_a_trainer_without_checkpoints_is_found(tmp_path, save) -> None:
    model = save("2026-01-10/09-00-00/model.ckpt")
    assert find_latest_run(tmp_path).path == model


def test_without_any_run_there_is_nothing_to_resume(tmp_path) -> None:
    assert find_latest_run(tmp_path / "outputs") == (None, ())

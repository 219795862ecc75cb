"""Runs and exports that meet in one folder, or are killed in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt import load_model
from mtt.checkpoint.temporary import lock
from mtt.errors import CheckpointError
from mtt.workflows.folder import RunFolder, new_folder, place


def test_a_second_process_is_refused_where_another_one_trains(
    tiny: dict[str, Any],
    write: Callable[..., Path],
    refused: Callable[..., str],
    mtt: Callable[..., Any],
    trained: Path,
    here: Path,
) -> None:
    write(tiny)
    shutil.copytree(trained / "outputs", here / "outputs")
    (folder,) = Path("outputs").glob("*/*")
    with RunFolder(folder).log.open("ab") as log:
        lock(log)  # as another process has it
        message = refused("train", "options.yaml", "--restart", "auto")
        assert f"{folder}: another process is training in this folder" in message
    assert mtt("train", "options.yaml", "--restart", "auto").code == 0


def test_runs_that_begin_in_one_second_have_folders_of_their_own() -> None:
    folders = [new_folder().path for _ in range(5)]
    assert len(set(folders)) == 5


def test_what_a_killed_export_left_is_removed_by_the_next_and_what_is_in_use_stays(
    mtt: Callable[..., Any], trained: Path, here: Path
) -> None:
    Path(".model.pt.0123abcd.pt").write_bytes(b"half")
    with Path(".other.pt.0123abcd.pt").open("xb") as used:
        lock(used)
        assert mtt("export", trained / "model.ckpt").code == 0
        assert {path.name for path in here.iterdir()} == {"model.pt", ".other.pt.0123abcd.pt"}


def test_two_processes_that_write_one_output_leave_one_of_the_two_whole(
    trained: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.copyfile

    def meanwhile(source: Any, target: Any) -> None:
        monkeypatch.setattr(shutil, "copyfile", real)
        place(trained / "model.pt", here / "out.pt")
        real(source, target)

    monkeypatch.setattr(shutil, "copyfile", meanwhile)
    place(trained / "model.pt", here / "out.pt")
    assert load_model(here / "out.pt") is not None
    assert [path.name for path in here.iterdir()] == ["out.pt"]


def test_an_outcome_that_cannot_be_put_where_it_was_asked_for_is_kept_in_the_run(
    trained: Path, here: Path
) -> None:
    (here / "out.pt").mkdir()
    with pytest.raises(CheckpointError, match=r"out\.pt: cannot be written .* bytes\): .*kept"):
        place(trained / "model.pt", here / "out.pt")
    assert [path.name for path in here.iterdir()] == ["out.pt"]

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
from mtt.workflows.claim import claimed
from mtt.workflows.run.folder import RunFolder, new_folder, place


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


def test_a_second_training_to_one_output_is_refused_before_it_reads_and_another_output_is_free(
    tiny: dict[str, Any],
    write: Callable[..., Path],
    refused: Callable[..., str],
    mtt: Callable[..., Any],
    here: Path,
) -> None:
    tiny["training_set"]["systems"]["read_from"] = "nowhere.xyz"
    write(tiny)
    Path(".model.pt.claim").touch()  # of a killed process
    with claimed(here / "model.pt"):
        message = refused("train", "options.yaml")
        assert "model.pt: another process is training to this output; name another" in message
        assert mtt("train", "options.yaml", "-o", "other.pt").err.count("nowhere.xyz: no such")
    assert "nowhere.xyz: no such file" in refused("train", "options.yaml")
    assert sorted(path.name for path in here.iterdir()) == ["options.yaml"]


def test_runs_that_begin_in_one_second_have_separate_folders() -> None:
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


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("train", "CHECKPOINT"), "not an options file; `mtt show` says what"),
        (("train", "MODEL"), "not an options file; `mtt show` says what"),
        (("train", "DATA"), "options are a mapping of keys"),
        (("eval", "CHECKPOINT", "CHECKPOINT"), "not an options file; `mtt show` says what"),
        (("eval", "eval.yaml", "MODEL"), "not an options file; `mtt show` says what"),
        (("eval", "eval.yaml", "eval.yaml"), "eval.yaml: is not a checkpoint, but a YAML file"),
        (("export", "options.yaml"), "options belong to `mtt train`"),
        (("export", "DATA"), "is not a checkpoint, but a text file"),
        (("export", "MODEL"), "this is an exported model already; give its checkpoint"),
        (("train", "options.yaml", "--restart", "MODEL"), "`mtt eval` wants it"),
        (("train", "options.yaml", "--restart", "options.yaml"), "but a YAML file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_file_of_the_wrong_kind_is_recognised(
    tiny: dict[str, Any],
    write: Callable[..., Path],
    refused: Callable[..., str],
    trained: Path,
    arguments: tuple[str, ...],
    told: str,
) -> None:
    write(tiny)
    systems = tiny["training_set"]["systems"]
    write({"systems": systems}, "eval.yaml")
    paths = {
        "CHECKPOINT": trained / "model.ckpt",
        "MODEL": trained / "model.pt",
        "DATA": systems["read_from"],
    }
    assert told in refused(*(paths.get(one, one) for one in arguments))

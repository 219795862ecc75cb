"""``--restart auto``: the newest run of the same options file, and whose run is whose."""

from __future__ import annotations

import copy
import json
import logging
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt.cli.main import run as command_line
from mtt.errors import CheckpointError
from mtt.workflows.restart.how_to_resume import after_training, resuming
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.run.record import RECORD, Command, recorded

Fit = Callable[..., RunFolder]
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "mtt")
    return caplog


@pytest.fixture
def two(tiny: dict[str, Any], write: Write) -> tuple[dict[str, Any], dict[str, Any]]:
    """``A.yaml`` and ``B.yaml``, which learn at different rates."""
    tiny["architecture"]["training"]["num_epochs"] = 1
    other = copy.deepcopy(tiny)
    other["architecture"]["training"]["learning_rate"] = 1e-5
    write(tiny, "A.yaml")
    write(other, "B.yaml")
    return tiny, other


def longer(options: dict[str, Any], epochs: int = 2) -> dict[str, Any]:
    changed = copy.deepcopy(options)
    changed["architecture"]["training"]["num_epochs"] = epochs
    return changed


def test_the_newest_run_of_the_same_file_is_taken_and_the_others_are_named(
    two: tuple[dict[str, Any], ...], fit: Fit, write: Write, heard: pytest.LogCaptureFixture
) -> None:
    first, second = fit("A.yaml"), fit("B.yaml")
    write(longer(two[0]), "A.yaml")  # edited: the same file still
    assert fit("A.yaml", "auto").path.samefile(first.path)
    assert f"{second.path} is the newest run, but of B.yaml" in heard.text
    assert f"the newest run of A.yaml is {first.path}" in heard.text
    assert fit("B.yaml", "auto").path.samefile(second.path)
    write(two[0], "C.yaml")
    with pytest.raises(CheckpointError) as caught:
        fit("C.yaml", "auto")
    said = str(caught.value)
    assert said.startswith("outputs: not one of the runs here is of C.yaml: ")
    for folder, name in ((first, "A.yaml"), (second, "B.yaml")):
        assert f"{folder.path.parent.name}/{folder.path.name} is of {name}" in said
    assert "begin a new run without --restart, or name the one to resume: --restart out" in said
    assert len(list(Path("outputs").glob("*/*"))) == 2


def test_runs_of_another_file_without_any_checkpoint_do_not_count(
    two: tuple[dict[str, Any], ...], fit: Fit, heard: pytest.LogCaptureFixture
) -> None:
    other = fit("B.yaml")
    for path in other.path.rglob("*.ckpt"):
        path.unlink()
    assert not fit("A.yaml", "auto").path.samefile(other.path)
    assert "starting from scratch" in heard.text


def test_an_own_run_that_was_killed_before_its_first_checkpoint_is_begun_from_scratch(
    two: tuple[dict[str, Any], ...], fit: Fit
) -> None:
    killed = fit("A.yaml")
    for path in killed.path.rglob("*.ckpt"):
        path.unlink()
    other = fit("B.yaml")
    again = fit("A.yaml", "auto")
    assert not any(again.path.samefile(one.path) for one in (killed, other))


def test_a_folder_that_moves_with_its_file_and_runs_is_the_same(
    two: tuple[dict[str, Any], ...], fit: Fit, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit("A.yaml")
    shutil.copytree(here, here / "scratch", ignore=shutil.ignore_patterns("scratch"))
    monkeypatch.chdir(here / "scratch")
    (moved,) = Path("outputs").glob("*/*")
    assert fit("A.yaml", "auto").path.samefile(moved)
    known = recorded(moved)
    assert known is not None
    assert known.file == str(here / "scratch" / "A.yaml")


def test_a_link_is_the_file_that_it_points_to(
    two: tuple[dict[str, Any], ...], fit: Fit, here: Path
) -> None:
    Path("options.yaml").symlink_to("A.yaml")
    first = fit("options.yaml")
    assert fit("A.yaml", "auto").path.samefile(first.path)
    Path("options.yaml").unlink()
    Path("options.yaml").symlink_to("B.yaml")
    with pytest.raises(CheckpointError, match=r"not one of the runs here is of options\.yaml"):
        fit("options.yaml", "auto")


def test_options_that_a_run_wrote_down_resume_it_and_are_not_written_over(
    two: tuple[dict[str, Any], ...], fit: Fit
) -> None:
    first = fit("A.yaml")
    before = first.options.read_bytes()
    second = fit(first.options, "auto")
    assert not second.path.samefile(first.path)
    assert (second.path / "history.jsonl").read_text() == (first.path / "history.jsonl").read_text()
    assert first.options.read_bytes() == before


def test_a_run_that_is_named_with_another_file_stays_what_it_is(
    two: tuple[dict[str, Any], ...], fit: Fit
) -> None:
    first = fit("B.yaml")
    second = fit("A.yaml", first.checkpoints / "last.ckpt")
    assert not second.path.samefile(first.path)
    assert fit("B.yaml", "auto").path.samefile(first.path)


@pytest.mark.parametrize("lost", ["missing", "damaged"])
def test_a_run_without_a_record_is_known_by_its_options(
    two: tuple[dict[str, Any], ...],
    fit: Fit,
    write: Write,
    heard: pytest.LogCaptureFixture,
    lost: str,
) -> None:
    first = fit("A.yaml")
    record = first.path / RECORD
    record.unlink()
    if lost == "damaged":
        record.write_text('{"options": 3}')
    with pytest.raises(CheckpointError, match="is of a file that it does not name"):
        fit("B.yaml", "auto")
    write(longer(two[0]), "A.yaml")
    assert fit("A.yaml", "auto").path.samefile(first.path)
    assert "does not say whose run it is; its options are those of A.yaml" in heard.text


def test_runs_begun_in_python_are_known_by_their_options(
    two: tuple[dict[str, Any], ...], fit: Fit
) -> None:
    first, second = fit(two[0]), fit(two[1])
    assert fit(longer(two[0]), "auto").path.samefile(first.path)
    assert fit(two[1], "auto").path.samefile(second.path)
    third = copy.deepcopy(two[0])
    third["architecture"]["training"]["learning_rate"] = 0.5
    with pytest.raises(
        CheckpointError, match=r"2 runs that were started in Python .* restart='out"
    ):
        fit(third, "auto")
    with pytest.raises(CheckpointError, match=r"of A.yaml: .* is of options passed in Python"):
        fit("A.yaml", "auto")


def test_a_damaged_provenance_is_named_and_the_checkpoint_has_its_own(
    two: tuple[dict[str, Any], ...], fit: Fit
) -> None:
    first = fit("A.yaml")
    (first.path / "provenance.json").write_text("{")
    assert fit("A.yaml", "auto").path.samefile(first.path)
    assert json.loads((first.path / "provenance.json").read_text())["seed"] == 1


# ------------------------------------------------------- the command that resumes a run


def test_a_stopped_run_prints_the_whole_command_and_it_resumes(
    tiny: dict[str, Any], write: Write, mtt: Callable[..., Any], here: Path, root: Path
) -> None:
    write(tiny, "my options.yaml")
    soon = [
        "-r",
        "architecture.training.max_time=1e-6",
        "-r",
        "training_set.targets.energy.description=a b",
    ]
    folders = ["--architectures", root / "examples" / "architecture"]
    stopped = mtt("train", "my options.yaml", "-o", "a b.pt", *soon, *folders)
    assert stopped.code == 143
    said, _, words = stopped.err.strip().partition("; resume with: ")
    assert said == "stopped by max_time in epoch 1 and saved"
    wanted = ["mtt", "train", "my options.yaml", "-o", "a b.pt", *soon, *folders]
    assert shlex.split(words) == [*map(str, wanted), "--restart", "auto"]
    (run,) = Path("outputs").glob("*/*")
    assert words in mtt("show", run).out
    assert words in (run / "train.log").read_text()
    again = mtt(*shlex.split(words)[1:])
    assert again.code == 143
    assert f"resuming from {run}" in again.out
    assert "all options are those of the run" in again.out


def test_the_command_names_the_checkpoint_where_auto_would_take_another_run(
    two: tuple[dict[str, Any], ...], fit: Fit, here: Path
) -> None:
    first, second = fit("A.yaml"), fit("A.yaml")
    known = recorded(first.path)
    assert known is not None
    assert resuming(second.path, known) == "mtt train A.yaml --restart auto"
    last = f"{first.path}/checkpoints/last.ckpt"
    assert resuming(first.path, known) == f"mtt train A.yaml --restart {last}"
    python = Command("", "", str(here), "b.pt", ("seed=3",))
    call = f"train(options, overrides=['seed=3'], output='b.pt', restart='{last}')"
    assert resuming(first.path, python) == call


def test_an_error_after_the_training_comes_with_the_command_that_does_the_rest(
    two: tuple[dict[str, Any], ...], fit: Fit, heard: pytest.LogCaptureFixture
) -> None:
    folder = fit("A.yaml")
    known = recorded(folder.path)
    assert known is not None
    with pytest.raises(CheckpointError, match="full"), after_training(folder.path, known):
        raise CheckpointError("the disk is full")
    assert "export and evaluate it with: mtt train A.yaml --restart auto" in heard.text


def test_damaged_options_are_refused_with_their_line_and_the_run_is_left_as_it_is(
    two: tuple[dict[str, Any], ...], fit: Fit, refused: Callable[..., str]
) -> None:
    fit("A.yaml")
    text = Path("A.yaml").read_text()
    Path("A.yaml").write_text(text[: len(text) // 2])
    assert "A.yaml:" in refused("train", "A.yaml", "--restart", "auto")
    os.truncate("A.yaml", 0)
    assert "the options are empty" in refused("train", "A.yaml", "--restart", "auto")
    assert command_line(["train", "gone.yaml", "--restart", "auto"]) == 1

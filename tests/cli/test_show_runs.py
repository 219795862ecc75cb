"""``mtt show`` of a run and of a folder of runs: whose they are, how far, how good."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt.checkpoint import read
from mtt.checkpoint.temporary import lock
from mtt.workflows.run.folder import RunFolder

Mtt = Callable[..., Any]


@pytest.fixture
def run(trained: Path, here: Path) -> Path:
    shutil.copytree(trained / "outputs", here / "outputs")
    (folder,) = Path("outputs").glob("*/*")
    return folder


def test_a_folder_of_runs_lists_them_with_file_state_epochs_and_the_best_by_its_name(
    run: Path, mtt: Mtt
) -> None:
    stopped = run.with_name(f"{run.name}.1")
    shutil.copytree(run, stopped)
    for name in ("model.ckpt", "command.json"):
        (stopped / name).unlink()
    empty = run.with_name(f"{run.name}.2")
    empty.mkdir()
    shutil.copy(run / "options_restart.yaml", empty)
    damaged = run.with_name(f"{run.name}.3")
    shutil.copytree(run, damaged)
    for path in damaged.rglob("*.ckpt"):
        path.write_bytes(path.read_bytes()[:1000])
    value = f"loss {read(run / 'model.ckpt')['best_metric']:.4g} in epoch 2"
    for folder in ("outputs", run.parent, "."):
        title, columns, *rows = mtt("show", folder).out.splitlines()
        assert title == f"{folder}: 4 runs"
        assert columns.split() == ["run", "options", "architecture", "state", "epoch", "best"]
        assert [row.split("  ")[0] for row in rows] == [
            str(one.relative_to(folder)) for one in (run, stopped, empty, damaged)
        ]
        found = [[cell.strip() for cell in row.split("  ") if cell.strip()][1:] for row in rows]
        assert found == [
            ["options.yaml", "soap_bpnn", "finished", "2 of 2", value],
            ["-", "soap_bpnn", "stopped", "2 of 2", value],
            ["-", "soap_bpnn", "no checkpoint", "-", "-"],
            ["options.yaml", "soap_bpnn", "none of its checkpoints can be read", "-", "-"],
        ]
    listed = json.loads(mtt("show", "outputs", "--json").out)
    assert (listed["kind"], listed["problem"], len(listed["runs"])) == ("folder of runs", None, 4)
    first = listed["runs"][0]
    assert (first["metric"], first["num_epochs"]) == ("loss", 2)
    assert first["begun"] == f"{run.parent.name} {run.name.replace('-', ':')}"


def test_a_run_has_the_errors_of_its_best_and_last_epoch_and_of_the_final_evaluation(
    run: Path, mtt: Mtt
) -> None:
    shown = json.loads(mtt("show", run, "--json").out)
    assert (shown["state"], shown["metric"], shown["options_file"]) == (
        "finished", "loss", "options.yaml",
    )  # fmt: skip
    assert shown["resume_with"] is None
    errors = shown["errors"]
    rows = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    refitted = read(run / "model.ckpt")["provenance"]["refit"]
    assert {**shown["refit"], "validation": refitted["validation"]} == refitted
    for name, row in (
        ("best_validation", {**rows[shown["best_epoch"] - 1], **refitted["validation"]}),
        ("last_validation", rows[-1]),
    ):
        assert errors[name]["epoch"] == row["epoch"]
        assert errors[name]["loss"] == row["validation loss"]
        assert errors[name]["energy RMSE (meV/atom)"] == row["validation energy RMSE"]
        assert errors[name]["forces RMSE (meV/Å)"] == row["validation forces RMSE"]
    found = errors["evaluation"]
    assert set(found) == {"epoch", "training", "validation", "test"}
    assert found["epoch"] == shown["best_epoch"]
    best = errors["best_validation"]["forces RMSE (meV/Å)"]
    assert found["validation"]["forces RMSE (meV/Å)"] == pytest.approx(best, rel=1e-6)
    log = (run / "train.log").read_text()
    assert f"test forces: RMSE {found['test']['forces RMSE (meV/Å)']:.4g}" in log
    assert "metric: loss" in mtt("show", run).out


def test_a_run_under_way_is_called_running(run: Path, mtt: Mtt) -> None:
    with RunFolder(run).log.open("ab") as log:
        lock(log)
        assert json.loads(mtt("show", run, "--json").out)["state"] == "running"
    assert json.loads(mtt("show", run, "--json").out)["state"] == "finished"


def test_a_checkpoint_names_the_metric_of_its_best_epoch(trained: Path, mtt: Mtt) -> None:
    shown = json.loads(mtt("show", trained / "model.ckpt", "--json").out)
    assert shown["metric"] == "loss"
    (log,) = trained.glob("outputs/*/*/train.log")
    assert f"best weights, of epoch 2 (loss {shown['best_metric']:.6g})" in log.read_text()


def test_lost_files_of_a_run_are_left_out(run: Path, mtt: Mtt) -> None:
    (run / "evaluation.json").write_text("{")
    (run / "command.json").write_text("[]")
    shown = json.loads(mtt("show", run, "--json").out)
    assert shown["errors"]["evaluation"] is None
    assert shown["options_file"] is None

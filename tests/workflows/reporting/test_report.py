"""The report of one run, of several, and of runs that lack most of their files."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtt.errors import ConfigError
from mtt.report.kept import KEPT, Kept
from mtt.stopping import Stopped, watch_signals
from mtt.workflows.reporting.history import log_lines, marks_of, rows_of
from mtt.workflows.reporting.read_run import read_run
from mtt.workflows.reporting.report import report
from mtt.workflows.run.folder import RunFolder

MakeRun = Callable[..., Path]
ADDRESS = re.compile(r"""(?:src|href)=["'](?!#)""")
TITLES = ("loss", "energy RMSE", "forces RMSE", "learning rate", "gradient norm",
          "energy: predicted and reference", "energy: distribution of errors",
          "forces: predicted and reference", "forces: distribution of errors")  # fmt: skip


def charts(page: str) -> list[dict[str, Any]]:
    text = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page)
    assert text is not None
    found: list[dict[str, Any]] = json.loads(text[1])
    return found


def test_a_training_leaves_a_report_that_needs_no_other_file(trained: Path) -> None:
    (run,) = (trained / "outputs").glob("*/*")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert len(page.encode()) < 2_000_000
    assert ADDRESS.search(page) is None
    for title in TITLES:
        assert f'<span class="title">{title}</span>' in page
    for text in ("finished", "soap_bpnn", "model.pt", "MetatomicCalculator", "Worst structures",
                 "architecture.training.batch_size", "mtt train options.yaml"):  # fmt: skip
        assert text in page
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert f"{evaluation['test']['forces RMSE (meV/Å)']:.4g}" in page
    assert all(one["description"] for one in charts(page))


def test_a_report_is_made_again_without_the_data(make_run: MakeRun, here: Path) -> None:
    run = make_run("a", without=("report.html",), replace=(("ethanol.xyz", "moved.xyz"),))
    assert report([run]) == run / "report.html"
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "energy: predicted and reference" in page
    assert "ethanol.xyz, frame" in page


def test_what_is_missing_is_named_and_the_rest_is_shown(make_run: MakeRun) -> None:
    run = make_run("a", without=(KEPT,))
    history = run / "history.jsonl"
    history.write_text(history.read_text() + '{"epoch": 3, "training loss": NaN}\n{"epo')
    report([run])
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "There is no report.npz" in page
    assert "1 line of history.jsonl is damaged" in page
    assert "energy: predicted and reference" not in page
    assert '<span class="title">loss</span>' in page
    damaged = make_run("b")
    (damaged / KEPT).write_bytes(b"PK\3\4 nothing")
    (damaged / "options_restart.yaml").write_text("a: [")
    report([damaged])
    page = (damaged / "report.html").read_text(encoding="utf-8")
    assert "Predictions are not shown" in page
    assert "Its options cannot be read" in page


def test_a_run_that_failed_at_once_shows_its_log(here: Path) -> None:
    run = here / "failed"
    run.mkdir()
    (run / "options_restart.yaml").write_text("architecture: {name: soap_bpnn}\n")
    begun = "2026-01-01 00:00:00,000 INFO begun\n"
    (run / "train.log").write_text(f"{begun}2026-01-01 00:00:01,000 DEBUG Error: <b>no</b>\n")
    report([run])
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "no checkpoint" in page
    assert "There is no epoch to show yet." in page
    assert "Error: &lt;b&gt;no&lt;/b&gt;" in page


def test_a_running_training_is_said_to_run_and_its_last_line_may_be_incomplete(
    make_run: MakeRun,
) -> None:
    run = make_run("a")
    history = run / "history.jsonl"
    history.write_text(history.read_text() + '{"epoch": 3, "tra')
    with RunFolder(run).logging():
        report([run])
    page = (run / "report.html").read_text(encoding="utf-8")
    assert ">running<" in page
    assert "damaged" not in page
    report([run])
    assert "1 line of history.jsonl is damaged" in (run / "report.html").read_text("utf-8")


def test_a_signal_stops_a_report_and_leaves_the_old_one(make_run: MakeRun) -> None:
    run = make_run("a")
    (run / "report.html").write_text("old")
    with watch_signals():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Stopped) as stop:
            report([run])
    assert stop.value.exit_code == 130
    assert (run / "report.html").read_text() == "old"
    assert not [path.name for path in run.glob(".*")]


def test_findings_warnings_distances_and_energy_are_shown(make_run: MakeRun) -> None:
    run = make_run("a")
    with (run / "train.log").open("a") as log:
        log.write("2026-01-01 00:00:00,000 WARNING two <data sets> overlap\n" * 2)
    entry = {"seconds": 1.0, "joules": {"processor 0": 3600.0}}
    (run / "energy.json").write_text(json.dumps([entry, entry]))
    kept = Kept.load(run / KEPT)
    places = [{"part": "test", "file": "a/b.xyz", "frames": [3, 4], "more": 2}]
    one = {"check": "duplicates", "severity": "wrong", "what": "4 structures occur twice",
           "advice": "remove one of each", "where": places, "elsewhere": 0}  # fmt: skip
    n = len(kept.arrays["part"])
    facts = {"target": "energy", "reference": 9, "whole": 12, "usual": 0.25}
    more = {"scan": {"found": [one]}, "distances": facts, "epoch": 1}
    distance = {"distance": np.linspace(0.1, 3.0, n)}
    Kept({**kept.facts, **more}, {**kept.arrays, **distance}).save(run / KEPT)
    report([run])
    page = (run / "report.html").read_text(encoding="utf-8")
    assert page.count("Two &lt;data sets&gt; overlap") == 1
    assert "<b>duplicates</b>: 4 structures occur twice" in page
    assert "test: b.xyz, frames 3, 4 and 2 more" in page
    assert "nearest of 9 of the 12 training structures" in page
    assert '<span class="title">forces: error and distance</span>' in page
    assert "processor 0 2 Wh" in page
    assert "Predictions are those of epoch 1, the best one before the run was resumed" in page


def test_several_runs_are_laid_side_by_side_with_the_best_in_bold(
    make_run: MakeRun, here: Path
) -> None:
    errors = {"test": {"energy RMSE (meV/atom)": 2.5, "forces RMSE (meV/Å)": 30.0}}
    better = {"test": {"energy RMSE (meV/atom)": 1.25, "forces RMSE (meV/Å)": 20.0}}
    one = make_run("a", errors=errors)
    two = make_run("b", errors=better, replace=(("batch_size: 4", "batch_size: 8"),))
    assert report([one, two]) == Path("report.html")
    page = Path("report.html").read_text(encoding="utf-8")
    assert "<b>1.25</b>" in page
    assert "<b>2.5</b>" not in page
    assert "<b>2026-01-01/b</b> has the lowest error in 2 of 2 rows of the test set." in page
    row = '<th scope="row">architecture.training.batch_size</th><td>4</td><td>8</td>'
    assert row in page
    assert "Predictions" in page
    assert re.search(r"the same \d+ structures of the (test|validation) set", page)
    (loss,) = (one for one in charts(page) if one["description"].startswith("loss by epoch"))
    assert {line.split(",")[-1] for line in loss["data"]["values"].splitlines()[1:]} == {
        "2026-01-01/a", "2026-01-01/b",
    }  # fmt: skip


def test_a_report_replaces_nothing_of_a_run(make_run: MakeRun, here: Path) -> None:
    run = make_run("a")
    history = (run / "history.jsonl").read_bytes()
    (run / "notes.html").write_text("mine")
    (here / "link.html").symlink_to(run / "history.jsonl")
    (here / "hard.html").hardlink_to(run / "history.jsonl")
    with pytest.raises(ConfigError, match="a report is an HTML file"):
        report([run], run / "history.jsonl")
    with pytest.raises(ConfigError, match=r"is a file of the run .*, which is read"):
        report([run], run / "notes.html")
    with pytest.raises(ConfigError, match=r"is a file of the run .*, which is read"):
        report([run], here / "link.html")
    with pytest.raises(ConfigError, match="is a link"):
        report([run], here / "hard.html")
    with pytest.raises(ConfigError, match="the folder of the output does not exist"):
        report([run], here / "nowhere" / "report.html")
    assert (run / "history.jsonl").read_bytes() == history
    assert (run / "notes.html").read_text() == "mine"


def test_what_is_not_a_run_is_named_and_all_of_them_at_once(make_run: MakeRun, here: Path) -> None:
    run = make_run("a")
    (here / "empty").mkdir()
    with pytest.raises(ConfigError) as error:
        report([run, here / "empty", run / "train.log", here / "nowhere"])
    found = [problem.what for problem in error.value.problems]
    assert found[0].startswith("is not the folder of a run")
    assert found[1].startswith("is a file")
    assert found[2] == "there is no such folder"
    with pytest.raises(ConfigError, match="13 runs do not fit on one page"):
        report([make_run(str(i)) for i in range(13)])


def test_the_history_of_a_checkpoint_replaces_a_lost_one(make_run: MakeRun) -> None:
    run = make_run("a")
    rows = read_run(run, "a").rows
    (run / "history.jsonl").unlink()
    assert read_run(run, "a").rows == rows
    assert len(rows) == 2


def test_restarts_stops_stages_and_the_best_epoch_are_marked(here: Path) -> None:
    (here / "train.log").write_text(
        "2026-01-01 00:00:00,000 INFO epochs 1 to 6 of 5 batches each; training | validation\n"
        "2026-01-01 00:00:00,000 INFO epoch  3/6  loss 1\n"
        "2026-01-01 00:00:00,000 DEBUG TrainingInterrupted: stopped by SIGTERM; resume with: x\n"
        "2026-01-01 00:00:00,000 INFO epochs 4 to 6 of 5 batches each; training | validation\n"
    )
    stages = [1, 1, 1, 1, 2, 2]
    lines = [json.dumps({"epoch": i, "stage": stage}) for i, stage in enumerate(stages, start=1)]
    (here / "history.jsonl").write_text("\n".join([*lines, lines[-1]]))
    rows, problems = rows_of(here, {})
    assert (len(rows), problems) == (6, [])
    assert [(mark.epoch, mark.kind) for mark in marks_of(log_lines(here), rows, 5)] == [
        (5, "best"), (4, "stage"), (3, "stopped"), (3, "restart"),
    ]  # fmt: skip

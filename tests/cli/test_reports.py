"""``mtt report``, ``mtt compare`` and ``mtt runs``."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt.cli.render import terminal

Mtt = Callable[..., Any]


@pytest.fixture
def runs(trained: Path, here: Path) -> list[Path]:
    """Two runs; the second one has other options and lower errors."""
    (source,) = (trained / "outputs").glob("*/*")
    made = []
    for name, factor, batch in (("a", 1.0, 4), ("b", 0.5, 8)):
        run = Path("outputs", "2026-01-01", name)
        shutil.copytree(source, run)
        errors = json.loads((run / "evaluation.json").read_text())
        errors["test"] = {key: factor * value for key, value in errors["test"].items()}
        (run / "evaluation.json").write_text(json.dumps(errors))
        options = run / "options_restart.yaml"
        options.write_text(options.read_text().replace("batch_size: 4", f"batch_size: {batch}"))
        made.append(run)
    return made


def test_a_report_is_written_where_it_is_asked_for(runs: list[Path], mtt: Mtt) -> None:
    done = mtt("report", *runs, "-o", "both.html")
    assert (done.code, done.out.strip()) == (0, "wrote both.html")
    assert "Comparison of 2 runs" in Path("both.html").read_text(encoding="utf-8")
    wrong = mtt("report", "outputs")
    assert wrong.code == 1
    assert "outputs: is not the folder of a run" in wrong.err
    assert "`mtt runs FOLDER` lists the runs" in wrong.err


def test_compare_shows_errors_winners_and_options_that_differ(runs: list[Path], mtt: Mtt) -> None:
    found = json.loads(mtt("compare", *runs, "--json").out)
    errors = found["errors"]["test"]["forces RMSE (meV/Å)"]
    assert errors["values"][1] == pytest.approx(0.5 * errors["values"][0])
    assert errors["best"] == 1
    assert found["errors"]["training"]["forces RMSE (meV/Å)"]["best"] is None  # equal
    assert found["options"]["architecture.training.batch_size"] == ["4", "8"]
    assert [run["state"] for run in found["runs"]] == ["finished", "finished"]
    assert found["wins"][0] == 0
    text = mtt("compare", *runs).out
    assert "1  outputs/2026-01-01/a: finished, soap_bpnn, 2 of 2 epochs" in text
    assert "architecture.training.batch_size" in text
    assert found["errors"]["test"]["forces RMSE (meV/Å)"]["winners"] == [1]
    assert (found["decided_by"], found["sets"]["test"], found["notes"]) == ("test", [0, 0], [])
    alone = mtt("compare", runs[0], runs[0])
    assert (alone.code, "only one run is named" in alone.err) == (1, True)


def test_runs_with_other_test_sets_have_no_winner_and_it_is_said_why(
    runs: list[Path], mtt: Mtt
) -> None:
    provenance = runs[1] / "provenance.json"
    known = json.loads(provenance.read_text())
    known["sets"]["test"]["digests"]["structures"] = "others"
    provenance.write_text(json.dumps(known))
    found = json.loads(mtt("compare", *runs, "--json").out)
    assert found["sets"] == {"training": [0, 0], "validation": [0, 0], "test": [0, 1]}
    assert {one["best"] for one in found["errors"]["test"].values()} == {None}
    assert (found["decided_by"], found["wins"]) == ("validation", [0, 0])
    text = mtt("compare", *runs).out
    assert "note: The test sets differ: 2026-01-01/a (A, 2 structures); 2026-01-01/b (B, 2" in text
    assert re.search(r"test set +A +B", text)
    assert mtt("report", *runs).code == 0
    page = Path("report.html").read_text(encoding="utf-8")
    assert '<th scope="row">test set</th><td>A</td><td>B</td>' in page
    assert "structures of the validation set" in page, "which is the same"


def test_other_spellings_of_the_same_options_are_not_a_difference(
    runs: list[Path], mtt: Mtt
) -> None:
    for run, old, new in (
        (runs[0], "base_precision: 64", "base_precision: 32"),
        (runs[1], "base_precision: 64", "base_precision: null"),
        (runs[0], "mlflow: false", "mlflow: true"),
    ):
        options = run / "options_restart.yaml"
        assert old in options.read_text()
        options.write_text(options.read_text().replace(old, new))
    # as a run of an mtt that did not have this option yet
    options.write_text(re.sub(r"\n +keep_checkpoints: .*", "", options.read_text()))
    options = runs[1] / "options_restart.yaml"
    options.write_text(re.sub(r"\n +weight_decay: .*", "", options.read_text()))
    found = json.loads(mtt("compare", *runs, "--json").out)
    assert found["options"] == {"architecture.training.batch_size": ["4", "8"]}
    listed = json.loads(mtt("runs", "outputs", "--json").out)["runs"]
    assert listed[0]["options"] == {"architecture.training.batch_size": "4"}


def test_the_folder_of_a_run_is_listed_with_its_state_and_errors(
    runs: list[Path], mtt: Mtt
) -> None:
    (one,) = json.loads(mtt("runs", runs[0], "--json").out)["runs"]
    assert (one["run"], one["state"], one["epoch"]) == (str(runs[0]), "finished", 2)
    assert one["errors"]
    assert f"{runs[0]}: 1 run" in mtt("runs", runs[0]).out
    shutil.copytree("outputs", "learning-curve/n-50/outputs")
    found = json.loads(mtt("runs", "learning-curve", "--json").out)["runs"]
    assert [run["run"] for run in found] == [f"n-50/{run}" for run in runs]


@pytest.mark.parametrize("columns", [60, 200])
def test_runs_are_listed_at_any_width(
    runs: list[Path], mtt: Mtt, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(terminal, "_shared", [])
    shown = mtt("runs")
    assert shown.code == 0
    lines = shown.out.splitlines()
    assert lines[0] == ".: 2 runs"
    assert max(map(len, lines)) <= columns
    assert any("training.batch_size=8" in line for line in lines)
    found = json.loads(mtt("runs", "outputs", "--json").out)
    assert [run["run"] for run in found["runs"]] == ["2026-01-01/a", "2026-01-01/b"]
    assert found["runs"][0]["epoch"] == 2
    assert found["runs"][1]["options"] == {"architecture.training.batch_size": "8"}
    stored = json.loads(Path(runs[1], "evaluation.json").read_text())["test"]
    assert found["runs"][1]["errors"] == {k: v for k, v in stored.items() if "RMSE" in k}


def test_runs_of_other_targets_are_listed_by_what_distinguishes_them(
    runs: list[Path], mtt: Mtt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(terminal, "_shared", [])
    other = Path("outputs/2026-01-01/c")
    shutil.copytree(runs[1], other)
    options = other / "options_restart.yaml"
    options.write_text(re.sub(r"(?m)^( +)energy:", r"\1mtt::gap:", options.read_text()))
    errors = {f"mtt::gap {part}RMSE (eV)": 1.0 for part in ("", "x ", "y ", "norm ", "total ")}
    (other / "evaluation.json").write_text(json.dumps({"test": errors}))
    listed = json.loads(mtt("runs", "outputs", "--json").out)["runs"]
    assert [run["targets"] for run in listed] == [["energy"], ["energy"], ["mtt::gap"]]
    shown = mtt("runs", "outputs").out
    assert "  targets=energy, training.batch_size=4\n" in shown
    assert "  targets=mtt::gap, training.batch_size=8\n" in shown
    assert "  test: mtt::gap RMSE (eV) 1\n" in shown
    compared = mtt("compare", *runs, other).out
    assert re.search(r"and \d+ options that only some of the runs have", compared)
    assert "and 3 errors of components and elements; --json has all" in compared
    assert "mtt::gap x RMSE" not in compared
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(terminal, "_shared", [])
    narrow = mtt("compare", *runs).out
    assert "  architecture.training.batch_size\n      4 in 1; 8 in 2\n" in narrow


def test_the_newest_runs_are_listed_and_states_are_those_of_show(
    runs: list[Path], mtt: Mtt
) -> None:
    bare = Path("outputs/2025-01-01/c")
    bare.mkdir(parents=True)
    shutil.copy(runs[0] / "options_restart.yaml", bare)
    stopped = Path("outputs/2026-01-02/d")
    shutil.copytree(runs[0], stopped)
    for name in ("model.ckpt", "model.pt", "evaluation.json"):
        (stopped / name).unlink()
    found = json.loads(mtt("runs", "--json").out)["runs"]
    shown = json.loads(mtt("show", "outputs", "--json").out)["runs"]
    assert [run["state"] for run in found] == [run["state"] for run in shown]
    assert [run["state"] for run in found] == ["no checkpoint", "finished", "finished", "stopped"]
    assert found[3]["part"] == "validation"
    assert found[3]["errors"].keys() == {"energy RMSE (meV/atom)", "forces RMSE (meV/Å)"}
    for i in range(60):
        more = Path(f"outputs/2024-01-01/{i:02d}")
        more.mkdir(parents=True)
        (more / "options_restart.yaml").write_text("seed: [")
    text = mtt("runs").out
    assert "the newest 50 of them; --all lists 14 more" in text
    assert len(json.loads(mtt("runs", "--all", "--json").out)["runs"]) == 64


def test_a_folder_without_runs_is_refused(here: Path, mtt: Mtt) -> None:
    Path("empty").mkdir()
    nothing = mtt("runs", "empty")
    assert (nothing.code, "empty: there is no run in it" in nothing.err) == (1, True)
    missing = mtt("runs", "nowhere")
    assert (missing.code, "there is no such folder" in missing.err) == (1, True)

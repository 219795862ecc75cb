"""Parts of the accuracy tables: budgets, splits, drifts, and what each program is given."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import ase
import ase.io
import numpy as np
import pytest
import yaml
from ase.calculators.singlepoint import SinglePointCalculator

Import = Callable[[str], ModuleType]


def test_epochs_fill_the_budget_beside_everything_else(module: Import) -> None:
    budget, running = module("budget"), module("running")
    arrivals = [9.0, 12.0, 14.0, 16.0, 18.0, 20.0]  # slow at first, then 2 s each
    pace = budget.pace(running.Finished(23.0, arrivals, 0.0, ""), 6)
    assert pace == budget.Pace(epoch=2.0, outside=11.0)
    assert pace.epochs_in(1.0) == int((60 - 11) / (2 * budget.SLOWER))
    with pytest.raises(running.Failed, match=r"are too few: an epoch takes 2\.0 s"):
        pace.epochs_in(0.1)
    assert pace.epochs_in(0.1, least=1) == 1
    assert pace.epochs_in(1.0, least=1) == pace.epochs_in(1.0)


def test_only_the_first_budget_is_tried_out(module: Import) -> None:
    budget, running = module("budget"), module("running")
    asked: list[int] = []

    def run(n: int) -> Any:
        asked.append(n)
        return running.Finished(1.0 + n, [1.0 + i for i in range(n)], 0.0, "")

    _, _, pace = budget.within(1.0, None, run)
    budget.within(2.0, pace, run)
    assert asked == [budget.TRIAL_EPOCHS, 57, 115]


def test_a_child_is_timed_and_its_failure_has_a_reason(module: Import, tmp_path: Path) -> None:
    running = module("running")
    code = "print('epoch 1'); print('other'); print('epoch 2')"
    done = running.run([sys.executable, "-c", code], tmp_path, 1, 60.0, r"^epoch \d")
    assert len(done.arrivals) == 2
    assert 0 < done.arrivals[0] <= done.arrivals[1] <= done.seconds
    assert done.peak_mb > 1
    assert (tmp_path / "output.txt").read_text(encoding="utf-8") == done.output
    with pytest.raises(running.Failed, match=r"(?s)exit 3: .*the reason"):
        running.run([sys.executable, "-c", "print('the reason'); exit(3)"], tmp_path, 1, 60.0)
    with pytest.raises(running.Failed, match="nothing: No such file"):
        running.run([str(tmp_path / "nothing")], tmp_path, 1, 60.0)
    with pytest.raises(running.Failed, match="ended after 0 s"):
        running.run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, 1, 0.2)


def test_an_answer_is_found_among_what_libraries_print(module: Import) -> None:
    running = module("running")
    finished = running.Finished(1.0, [], 0.0, 'a warning\n{"parameters": 7}\nanother\n')
    assert running.told(finished) == {"parameters": 7}
    with pytest.raises(running.Failed, match="no answer in its output"):
        running.told(running.Finished(1.0, [], 0.0, "a warning\n"))


def test_a_drift_is_a_slope_and_a_fluctuation_what_is_left(module: Import) -> None:
    dynamics = module("dynamics")
    times = np.arange(0.0, 2000.5, 0.5)
    wave = 0.004 * np.sqrt(2) * np.cos(2 * np.pi * times / 20)
    drift = dynamics.drift(times, -5000.0 + 1e-6 * times + wave, 4)
    assert drift.total == pytest.approx(0.5, abs=2e-3)  # 2 meV over all, 4 atoms
    assert drift.fluctuation == pytest.approx(1.0, rel=1e-3)
    with pytest.raises(ValueError, match="not finite"):
        dynamics.drift([0, 1], [0.0, float("nan")], 4)


@pytest.fixture
def data(module: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "source" / "acac").mkdir(parents=True)
    monkeypatch.setenv("MTT_DATA", str(tmp_path / "source"))
    frames = []
    for i in range(20):
        frames.append(ase.Atoms("OH", [[0, 0, 0], [0, 0, 1 + 0.01 * i]]))
        frames[-1].calc = SinglePointCalculator(frames[-1], energy=-i, forces=np.zeros((2, 3)))
    ase.io.write(tmp_path / "source" / "acac" / "train_300K.xyz", frames, format="extxyz")
    systems = module("systems")
    return systems.split(systems.SOURCES["acac"], tmp_path / "split")


def test_the_last_tenth_is_validation(data: Any, module: Import) -> None:
    score = module("score")
    assert data.n_train == 18
    assert data.elements == (1, 8)
    assert score.read_labels(data.train).energies.tolist() == [-i for i in range(18)]
    assert score.read_labels(data.validation).energies.tolist() == [-18, -19]
    assert list(data.scored) == ["validation", "train"]


def test_missing_data_are_reported(
    module: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systems = module("systems")
    monkeypatch.setattr(systems.surroundings, "data_file", lambda name: None)
    with pytest.raises(systems.Missing, match=r"silicon/train.xyz is neither in \$MTT_DATA"):
        systems.split(systems.SOURCES["silicon"], tmp_path)


def test_every_program_is_given_the_same_files_seed_and_epochs(
    data: Any, module: Import, tmp_path: Path
) -> None:
    peers, ours = module("peers"), module("ours")
    programs = [*peers.PEERS, *ours.models()]
    assert len({program.name for program in programs}) == len(programs)
    ours = {"mtt-density_messages", "mtt-soap_bpnn", "mtt-pet"}
    assert {*ours, "nequip", "mace"} <= {one.name for one in programs}
    for program in programs:
        job = peers.Job(tmp_path / program.name, data, n_epochs=37, seed=4242, threads=1)
        job.folder.mkdir()
        command, text = program.write(job, Path("environment/bin/python"))
        assert command
        assert isinstance(yaml.safe_load(text), dict)
        for part in (str(data.train), str(data.validation), "4242"):
            assert part in text, program.name
        assert ("37" in text) == program.paced, program.name
    assert not all(program.paced for program in programs)


def test_every_epoch_of_a_long_run_is_a_point_of_its_curve(
    data: Any, module: Import, tmp_path: Path
) -> None:
    """Numbers of epochs are written with spaces in front, so that lines stand below each other."""
    running, job = module("running"), module("peers").Job(tmp_path, data, 100, 1, 1)
    program = module("ours").models()[0]
    history = tmp_path / "outputs" / "2026-01-01" / "00-00-00" / "history.jsonl"
    history.parent.mkdir(parents=True)
    rows = [{"validation energy RMSE": 9 / n, "validation forces RMSE": 90 / n} for n in (1, 2, 3)]
    history.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    lines = ["epochs 1 to 100", "epoch   1/100  loss", "epoch  10/100  loss", "epoch 100/100  loss"]
    command = [sys.executable, "-c", f"print('\\n'.join({lines}))"]
    finished = running.run(command, tmp_path, 1, 60.0, program.epoch)
    curve = program.curve(job, finished)
    assert [point[1:] for point in curve] == [[9.0, 90.0], [4.5, 45.0], [3.0, 30.0]]
    assert [point[0] for point in curve] == finished.arrivals


def test_the_best_epoch_of_a_history_is_that_of_the_smallest_loss(
    data: Any, module: Import, tmp_path: Path
) -> None:
    program, job = module("ours").models()[0], module("peers").Job(tmp_path, data, 3, 1, 1)
    history = tmp_path / "outputs" / "2026-01-01" / "00-00-00" / "history.jsonl"
    history.parent.mkdir(parents=True)
    rows = [
        {"epoch": n, "validation loss": loss, "validation forces RMSE": forces, "seconds": 1.0}
        for n, loss, forces in ((1, 3.0, 90.0), (2, 1.0, 60.0), (3, 2.0, 50.0))
    ]
    history.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert program.history(job) == {
        "best epoch": {"epoch": 2, "validation forces RMSE": 60.0},
        "last epoch": {"epoch": 3, "validation forces RMSE": 50.0},
    }

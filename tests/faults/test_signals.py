"""SIGTERM, SIGINT and SIGUSR1 at any moment of any command: what is there is whole, and told."""

from __future__ import annotations

import copy
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from mtt.checkpoint import read

SIGNALLED = Path(__file__).resolve().parent / "signalled.py"
TRAIN = ("train", "options.yaml")
STEP, SAVE = "mtt.training.step.Step.__call__", "mtt.checkpoint.write._read_back"
NOTHING = "nothing half-made is left behind"
RESUME = "mtt train options.yaml --restart auto"
SAVED = f"resume with: {RESUME}"
LATER = f"the training is done and saved; export and evaluate it with: {RESUME}"


class Case(NamedTuple):
    """A command, the function in whose n-th call the signal comes, and what is said of it."""

    function: str
    call: int
    name: str
    said: str
    command: tuple[str, ...] = TRAIN


BEFORE = {
    "reading": Case("mtt.data.files.extxyz._frame", 5, "SIGTERM", NOTHING),
    "neighbour lists": Case("mtt.data.geometry.finder.Finder._run", 7, "SIGUSR1", NOTHING),
    "baselines": Case("mtt.mlip.fitting.fit_composition", 1, "SIGINT", NOTHING),
}
WITHIN = {
    "a step": Case(STEP, 2, "SIGUSR1", SAVED),
    "a validation": Case("mtt.training.scoring.validation.Validation.run", 1, "SIGINT", SAVED),
    "a save": Case(SAVE, 2, "SIGTERM", SAVED),
}
AFTER = {
    "export": Case("mtt.exporting.export._exported", 1, "SIGTERM", LATER),
    "verification": Case("mtt.exporting.verify._run", 1, "SIGUSR1", LATER),
    "evaluation": Case("mtt.workflows.outcome.score", 1, "SIGINT", LATER),
}
EVAL = ("eval", "TRAINED/model.ckpt", "data.yaml", "-o", "out.xyz")
EXPORT = ("export", "TRAINED/model.ckpt", "-o", "exported.pt")
PACK = ("data", "pack", "data.yaml", "-o", "packed")
CHECK = ("check", "soap_bpnn", "--only", "repr")
OTHERS = {
    "eval": Case("mtt.evaluation.writer.Writer.write", 3, "SIGTERM", NOTHING, EVAL),
    "export alone": Case("mtt.exporting.export._save", 1, "SIGUSR1", NOTHING, EXPORT),
    "pack": Case("mtt.data.storage.arrays.ArrayWriter.append", 5, "SIGINT", NOTHING, PACK),
    "check": Case("mtt.testing.running.run", 1, "SIGINT", NOTHING, CHECK),
    "check of options": Case(
        "mtt.data.files.extxyz._frame", 5, "SIGTERM", NOTHING, ("check", "options.yaml")
    ),
}
CASES = {**BEFORE, **WITHIN, **AFTER, **OTHERS}
CODES = {"SIGTERM": 143, "SIGUSR1": 143, "SIGINT": 130}
TWICE = [[STEP, 3, "SIGTERM", 0.0], [SAVE, 1, "SIGINT", 1.1]]  # the second one in the save
FINISHED = ("verification", "evaluation", "twice")


@pytest.fixture(scope="module")
def options(tiny_options: dict[str, Any]) -> dict[str, Any]:
    tiny = copy.deepcopy(tiny_options)
    tiny["architecture"]["training"]["checkpoint_interval_steps"] = 1
    return tiny


@pytest.fixture(scope="module")
def root_of_runs(
    options: dict[str, Any], trained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder for every case, with its files."""
    root = tmp_path_factory.mktemp("signals")
    for name in (*CASES, "twice"):
        folder = root / name
        folder.mkdir()
        (folder / "options.yaml").write_text(json.dumps(options))
        (folder / "data.yaml").write_text(json.dumps(options["training_set"]))
    return root


@pytest.fixture(scope="module")
def done(root_of_runs: Path, trained: Path, forked: Callable[..., Any]) -> dict[str, Any]:
    """What came of all cases; ``finish NAME``: of the restart after it."""
    scenarios: dict[str, Any] = {"twice": [TRAIN, TWICE]}
    for name, case in CASES.items():
        command = [word.replace("TRAINED", str(trained)) for word in case.command]
        scenarios[name] = [command, [[case.function, case.call, case.name, 0.0]]]
    for name in FINISHED:
        scenarios[f"finish {name}"] = [[*TRAIN, "--restart", "auto"], []]
    listed = [
        [str(root_of_runs / name.removeprefix("finish ")), *one] for name, one in scenarios.items()
    ]
    process = forked(SIGNALLED, json.dumps(listed))
    assert process.returncode == 0, process.stderr[-3000:]
    return dict(zip(scenarios, json.loads(process.stdout), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_signal_ends_a_command_with_its_code_and_one_line(
    done: dict[str, Any], name: str
) -> None:
    case, found = CASES[name], done[name]
    assert found["sent"] == 1, f"{case.function} is not called any more"
    assert found["code"] == CODES[case.name], found["said"]
    heard, *warnings, last = found["said"]
    assert heard == f"{case.name}: stopping; once more to stop at once"
    assert not warnings
    assert last.startswith(f"stopped by {case.name}")
    assert last.endswith(f"; {case.said}")
    assert not [file for file in found["files"] if ".tmp" in file or "/." in f"/{file}"]


@pytest.mark.parametrize("name", [*BEFORE, *OTHERS])
def test_before_there_is_anything_to_save_nothing_is_left(done: dict[str, Any], name: str) -> None:
    results = {"model.pt", "model.ckpt", "out.xyz", "exported.pt", "packed"}
    left = {Path(file).name for file in done[name]["files"]}
    assert not left & results
    assert done[name]["progress"] is None
    if name != "baselines":  # these are fitted when the folder of the run is there
        assert left <= {"options.yaml", "data.yaml"}


@pytest.mark.parametrize("name", WITHIN)
def test_within_the_training_all_steps_are_saved(done: dict[str, Any], name: str) -> None:
    epochs_and_steps = {"a step": (0, 2), "a validation": (0, 4), "a save": (0, 3)}
    assert tuple(done[name]["progress"][:2]) == epochs_and_steps[name]


@pytest.mark.parametrize("name", FINISHED)
def test_a_restart_does_what_is_left(
    done: dict[str, Any], root_of_runs: Path, trained: Path, name: str
) -> None:
    assert done[name]["damaged"] == 0
    assert done[name]["progress"] is not None
    assert ("model.pt" in done[name]["files"]) == (name == "evaluation")
    assert done[f"finish {name}"]["code"] == 0
    one, two = (read(folder / "model.ckpt") for folder in (trained, root_of_runs / name))
    for key, value in one["best_model_state_dict"].items():
        assert torch.equal(value, two["best_model_state_dict"][key])
    assert (root_of_runs / name / "model.pt").is_file()


def test_a_second_signal_stops_at_once_and_the_last_checkpoint_is_valid(
    done: dict[str, Any],
) -> None:
    found = done["twice"]
    assert found["sent"] == 2
    assert found["code"] == 130
    assert found["said"][-1] == "stopped at once by SIGINT"
    assert tuple(found["progress"][:2]) == (0, 2), "the one before the save that was cut"


def test_a_signal_from_outside_ends_a_training_soon(
    options: dict[str, Any],
    here: Path,
    write: Callable[..., Path],
    mtt: Callable[..., Any],
    record_property: Callable[[str, object], None],
) -> None:
    options = copy.deepcopy(options)
    options["architecture"]["training"] |= {"num_epochs": 100_000, "checkpoint_interval_steps": 1}
    write(options)
    process = subprocess.Popen(
        [sys.executable, "-m", "mtt", *TRAIN], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not list(here.glob("outputs/*/*/checkpoints/last.ckpt")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(signal.SIGUSR1)
    _, errors = process.communicate(timeout=120)
    seconds = time.monotonic() - began
    assert process.returncode == 143
    assert f"and saved; {SAVED}" in errors
    assert not Path("model.pt").exists()
    again = mtt(*TRAIN, "--restart", "auto", "--dry-run")
    assert again.code == 0
    assert "resuming from outputs/" in again.out
    record_property("moments of a signal", len(CASES))
    record_property("seconds from a signal to the end of the process", round(seconds, 1))

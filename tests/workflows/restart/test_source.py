"""Runs that stop, however, and go on as if they had not; and what is refused to go on."""

from __future__ import annotations

import copy
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from mtt import train
from mtt.checkpoint import read
from mtt.errors import CheckpointError
from mtt.training import TrainingInterrupted
from mtt.workflows.run.folder import RunFolder

Fit = Callable[..., RunFolder]
History = Callable[[RunFolder], list[dict[str, Any]]]

Forked = Callable[..., Any]

KILLED = """
import json, os, signal, sys
from mtt import train

def kill(category, values, epoch):
    if category == "progress" and epoch == 3 and values["batch"] == 4:
        os.kill(os.getpid(), signal.SIGKILL)

train(json.loads(sys.argv[1]), listeners=[kill])
"""

STAGES = {
    "ema": {"decay": 0.9},
    "gradient_combination": "config",
    "gradient_accumulation": 2,
    "stages": [
        {"num_epochs": 2, "learning_rate": 0.01},
        {"num_epochs": 2, "from": "best", "scheduler": "plateau"},
    ],
    "checkpoint_interval_steps": 1,
}
"""Killed within an epoch of the second stage; without them between two epochs."""


@pytest.fixture
def long(tiny: dict[str, Any]) -> dict[str, Any]:
    tiny["architecture"]["training"].update(num_epochs=4, checkpoint_interval=1)
    return tiny


def assert_same(one: Any, two: Any) -> None:
    """Bit for bit, at any depth."""
    assert type(one) is type(two)
    if isinstance(one, Mapping):
        assert list(one) == list(two)
        for key in one:
            assert_same(one[key], two[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(two)
        for pair in zip(one, two, strict=True):
            assert_same(*pair)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, two)
    else:
        assert one == two or one != one


def contents(folder: RunFolder) -> dict[str, Any]:
    stored = read(folder.checkpoint)
    del stored["provenance"]  # says that the run was restarted
    rows = json.loads(stored["trainer_state"].pop("history"))
    stored["history"] = [{**row, "seconds": None} for row in rows]
    return stored


def newest() -> RunFolder:
    return RunFolder(max(Path("outputs").glob("*/*")))


@pytest.mark.parametrize("techniques", [{}, STAGES], ids=["plain", "stages"])
def test_a_killed_run_resumes_as_if_it_had_not_stopped(
    long: dict[str, Any], fit: Fit, history: History, forked: Forked, techniques: dict[str, Any]
) -> None:
    long["architecture"]["training"].update(techniques)
    straight = fit(long)
    Path("killed.py").write_text(KILLED)
    killed = forked("killed.py", json.dumps(long))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    folder = newest()
    assert folder.path != straight.path
    assert not folder.checkpoint.exists()
    assert not Path("model.pt").exists()
    saved = read(folder.checkpoints / "last.ckpt")["trainer_state"]
    place = (saved["epoch"], saved["batch"], saved["stage"])
    assert place == ((2, 2, 1) if techniques else (2, 0, 0))
    assert fit(long, "auto").path.samefile(folder.path)
    assert_same(contents(folder), contents(straight))
    assert history(folder) == history(straight)


def test_a_terminated_run_saves_and_resumes(
    long: dict[str, Any], fit: Fit, history: History
) -> None:
    straight = fit(long)

    def terminate(category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "progress" and epoch == 2 and values["batch"] == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingInterrupted) as caught:
        fit(long, listeners=[terminate])
    assert caught.value.exit_code == 128 + signal.SIGTERM
    folder = newest()
    assert read(folder.checkpoints / "last.ckpt")["epoch"] == 1  # and a part of the second
    fit(long, "auto")
    assert_same(contents(folder), contents(straight))
    assert history(folder) == history(straight)


def test_auto_starts_from_scratch_where_there_is_no_run(long: dict[str, Any], fit: Fit) -> None:
    assert_same(contents(fit(long, "auto")), contents(fit(long)))


def test_a_finished_run_continues_for_more_epochs(
    long: dict[str, Any], fit: Fit, history: History
) -> None:
    first = fit(long)
    more = copy.deepcopy(long)
    more["architecture"]["training"]["num_epochs"] = 5
    assert fit(more, first.checkpoint).path.samefile(first.path)
    assert [row["epoch"] for row in history(first)] == [1, 2, 3, 4, 5]
    assert read(first.checkpoint)["provenance"]["restarted_from"] == str(first.checkpoint)


def test_a_checkpoint_elsewhere_starts_a_new_folder(
    long: dict[str, Any], fit: Fit, here: Path
) -> None:
    first = fit(long)
    moved = here / "moved.ckpt"
    first.checkpoint.rename(moved)
    second = fit(long, moved)
    assert not second.path.samefile(first.path)
    assert_same(read(second.checkpoint)["model_state_dict"], read(moved)["model_state_dict"])


def test_the_seed_of_the_run_is_kept_where_the_options_give_none(
    long: dict[str, Any], fit: Fit
) -> None:
    del long["seed"]
    first = fit(long)
    seed = read(first.checkpoint)["provenance"]["seed"]
    split = (first.path / "indices" / "validation.txt").read_text()
    second = fit(long, first.checkpoint)
    assert read(second.checkpoint)["provenance"]["seed"] == seed
    assert (second.path / "indices" / "validation.txt").read_text() == split


def other_seed(options: dict[str, Any]) -> None:
    options["seed"] = 2


def other_model(options: dict[str, Any]) -> None:
    options["architecture"]["model"]["soap"]["max_radial"] = 3
    options["architecture"]["model"]["bpnn"]["num_hidden_layers"] = 2


def other_data(options: dict[str, Any]) -> None:
    source = Path(options["training_set"]["systems"]["read_from"])
    Path("other.xyz").write_text("".join(source.read_text().splitlines(keepends=True)[11:]))
    options["training_set"]["systems"]["read_from"] = "other.xyz"


def other_split(options: dict[str, Any]) -> None:
    options["validation_set"] = 0.3


def other_architecture(options: dict[str, Any]) -> None:
    options["architecture"] = {"name": "gaussians"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_seed, r"ckpt: the run has seed 1, the options say 2; another seed divides"),
        (other_model, r"soap.max_radial is 3 in the options and 2 in the checkpoint"),
        (other_model, r"bpnn.num_hidden_layers is 2 in the options and 1 in the checkpoint"),
        (other_data, r"ckpt: the training or validation data are not those of the run; put"),
        (other_split, r"ckpt: the training or validation data are not those of the run; put"),
        (other_architecture, r"ckpt: .* a checkpoint of .*'soap_bpnn'.*'gaussians'"),
    ],
)
def test_what_would_be_another_run_is_refused(
    long: dict[str, Any], fit: Fit, root: Path, change: Callable[..., None], message: str
) -> None:
    first = fit(long)
    before = sorted(str(path) for path in first.path.rglob("*"))
    change(long)
    with pytest.raises(CheckpointError, match=message):
        train(long, restart=first.checkpoint, architectures=[root / "examples" / "architecture"])
    assert len(list(Path("outputs").glob("*/*"))) == 1
    assert sorted(str(path) for path in first.path.rglob("*")) == before


def test_auto_refuses_when_no_checkpoint_can_be_read(long: dict[str, Any], fit: Fit) -> None:
    folder = fit(long)
    for path in folder.path.rglob("*.ckpt"):
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="outputs: none of the checkpoints can be read"):
        fit(long, "auto")

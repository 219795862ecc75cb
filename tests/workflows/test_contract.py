"""An architecture outside of the package, written against the contract alone, does it all.

``radial_sum`` has its own forward over systems and its own loop, and writes its checkpoints
with ``torch.save``; nothing of the platform's models and trainers is in it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from metatomic.torch import AtomisticModel

from mtt import ModelInterface, evaluate, export, load_model, train
from mtt.cli.main import run
from mtt.errors import ArchitectureError, CheckpointError
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.train import TrainResult

Fit = Callable[..., RunFolder]
FOLDERS = Path(__file__).resolve().parent.parent / "resources" / "architectures"
PLUGGED = {"architectures": [FOLDERS]}


@pytest.fixture
def options(tiny: dict[str, Any]) -> dict[str, Any]:
    return {
        **tiny,
        "architecture": {
            "name": "radial_sum",
            "model": {"cutoff": 3.0},
            "training": {"num_epochs": 2, "finetune": {"read_from": None}},
        },
    }


def epochs(options: dict[str, Any], n: int) -> dict[str, Any]:
    architecture = options["architecture"]
    training = {**architecture["training"], "num_epochs": n}
    return {**options, "architecture": {**architecture, "training": training}}


def weights(path: Path) -> dict[str, Any]:
    stored = torch.load(path, weights_only=True)
    return {name: stored[name] for name in ("weights", "best_weights", "optimizer", "epoch")}


def trained(options: dict[str, Any]) -> TrainResult:
    return train(options, **PLUGGED)


def test_it_trains_exports_and_evaluates(options: dict[str, Any], ethanol: Path) -> None:
    result = trained(options)
    assert set(result.reports) == {"training", "validation", "test"}
    assert result.directory is not None
    assert {path.name for path in result.directory.iterdir()} >= {
        "options_restart.yaml", "dataset_info.json", "provenance.json", "indices", "train.log",
        "checkpoints", "model.ckpt", "model.pt",
    }  # fmt: skip
    model = load_model("model.ckpt", **PLUGGED)
    assert isinstance(model, ModelInterface)
    assert type(model).__name__ == "RadialSum"
    assert isinstance(load_model("model.pt"), AtomisticModel)
    assert export("model.ckpt", "again.pt", **PLUGGED) == Path("again.pt")
    data = {
        "systems": {"read_from": str(ethanol), "length_unit": "angstrom"},
        "targets": options["training_set"]["targets"],
    }
    scored = [
        evaluate(one, data, output=f"{i}.xyz", batch_size=4, **PLUGGED)[0]
        for i, one in enumerate((model, "model.ckpt", "model.pt", "again.pt"))
    ]
    assert scored[0].report.errors["forces RMSE"] > 0.0
    for one in scored[1:]:
        assert one.report.errors == pytest.approx(scored[0].report.errors, rel=1e-9)
        assert one.output is not None
        assert one.output.is_file()


def test_it_resumes_where_it_stopped(options: dict[str, Any], fit: Fit) -> None:
    straight = weights(fit(epochs(options, 3), **PLUGGED).checkpoint)
    first = fit(epochs(options, 1), **PLUGGED)
    last = first.checkpoints / "last.ckpt"
    # a trainer need not store the name of its architecture
    nameless = torch.load(last, weights_only=True)
    del nameless["architecture_name"]
    torch.save(nameless, last)
    second = fit(epochs(options, 2), last, **PLUGGED)
    assert second.path.samefile(first.path)
    third = fit(epochs(options, 3), "auto", **PLUGGED)
    torch.testing.assert_close(weights(third.checkpoint), straight, rtol=0.0, atol=0.0)


def test_it_resumes_with_its_split_though_its_trainer_stores_none(
    options: dict[str, Any], fit: Fit
) -> None:
    del options["seed"]
    first = fit(epochs(options, 1), **PLUGGED)
    indices = (first.path / "indices" / "validation.txt").read_text()
    assert "provenance" not in torch.load(first.checkpoints / "last.ckpt", weights_only=True)
    assert "provenance" in torch.load(first.checkpoint, weights_only=True)
    for checkpoint in (first.checkpoints / "last.ckpt", first.checkpoint):
        again = fit(epochs(options, 1), checkpoint, **PLUGGED)
        assert (again.path / "indices" / "validation.txt").read_text() == indices
    with pytest.raises(CheckpointError, match=r"last.ckpt: the run has seed \d+, .* say 12;"):
        fit({**options, "seed": 12}, first.checkpoints / "last.ckpt", **PLUGGED)


def test_it_is_fine_tuned(options: dict[str, Any], fit: Fit) -> None:
    first = fit(options, **PLUGGED)
    options["architecture"]["training"]["finetune"]["read_from"] = str(first.checkpoint)
    tuned = fit(epochs(options, 0), **PLUGGED)
    assert not tuned.path.samefile(first.path)
    best, start = weights(first.checkpoint)["best_weights"], weights(tuned.checkpoint)
    torch.testing.assert_close(start["weights"], best, rtol=0.0, atol=0.0)
    assert start["optimizer"] is None


@pytest.mark.parametrize("key", ["finetune", "restart", "restart without the options of the run"])
def test_other_options_of_the_model_are_refused(
    options: dict[str, Any], fit: Fit, key: str
) -> None:
    first = fit(epochs(options, 1), **PLUGGED)
    other = {**options, "architecture": {**options["architecture"], "model": {"cutoff": 4.0}}}
    restart = None if key == "finetune" else first.checkpoint
    if "without" in key:
        first.options.unlink()
    if key == "finetune":
        other["architecture"]["training"]["finetune"]["read_from"] = str(first.checkpoint)
    with pytest.raises(
        CheckpointError, match=r"architecture.model.cutoff is 4.0 in the options and 3.0"
    ):
        fit(other, restart, **PLUGGED)


def test_command_line_finds_it_by_option_or_environment(
    options: dict[str, Any],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("options.yaml").write_text(json.dumps(options))  # JSON is YAML
    for folder in (FOLDERS, FOLDERS / "radial_sum"):
        arguments = ["train", "options.yaml", "--architectures", str(folder)]
        assert run([*arguments, "--dry-run"]) == 0
    assert [path.name for path in here.iterdir()] == ["options.yaml"]
    assert run(["train", "options.yaml"]) == 1
    assert "unknown architecture 'radial_sum'" in capsys.readouterr().err
    monkeypatch.setenv("MTT_ARCHITECTURES", str(FOLDERS))
    assert run(["train", "options.yaml"]) == 0
    assert (here / "model.pt").is_file()
    assert run(["show", "model.ckpt"]) == 0
    assert "architecture: radial_sum" in capsys.readouterr().out


def test_without_its_folder_it_is_not_found(options: dict[str, Any], fit: Fit) -> None:
    first = fit(epochs(options, 0), **PLUGGED)
    with pytest.raises(ArchitectureError, match=r"model.ckpt: .*radial_sum") as caught:
        load_model(first.checkpoint)
    assert "--architectures" in str(caught.value)


def test_a_trainer_that_stores_another_name_is_refused_before_it_trains(
    options: dict[str, Any], here: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("own") / "radial_sum"
    shutil.copytree(FOLDERS / "radial_sum", folder)
    trainer = folder / "trainer.py"
    text = trainer.read_text(encoding="utf-8")
    trainer.write_text(text.replace('architecture_name="radial_sum"', 'architecture_name="sums"'))
    wanted = r"RadialSumTrainer.save_checkpoint stores the architecture_name 'sums', but .*sum'"
    with pytest.raises(ArchitectureError, match=wanted):
        train(options, architectures=[folder])
    assert list(here.iterdir()) == []

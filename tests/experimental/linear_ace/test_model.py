"""Linear ACE: columns are what predictions are made of, and fits reach the labels."""

from __future__ import annotations

import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

import ase.io
import pytest
import torch

from mtt import Dataset, registry, train
from mtt.checkpoint import read
from mtt.data import Batching, Loader
from mtt.errors import ConfigError
from mtt.nn import building
from mtt.stopping import Stopped

SMALL = {"max_radial": 4, "max_angular": 2, "features": 40, "prior": None}
TARGET = {"key": "energy", "unit": "eV", "forces": True}


def small(dataset: Dataset) -> Any:
    architecture = registry.find("experimental.linear_ace").load()
    hypers = {**architecture.default_hypers["model"], **SMALL}
    with building(1, torch.float64):
        return architecture.model(hypers, dataset.info)


def loader_of(model: Any, dataset: Dataset, size: int) -> Any:
    return Loader(
        dataset,
        model.dataset_info.atomic_types,
        dtype=torch.float64,
        batching=Batching(structures=size),
        shuffle=False,
        cutoff=model.list_cutoff(),
    )


@pytest.mark.parametrize("which", ["alloy", "ethanol"])
def test_columns_times_weights_are_energies_forces_and_strain(
    which: str, request: pytest.FixtureRequest
) -> None:
    frames = ase.io.read(request.getfixturevalue(which), ":6")
    dataset = Dataset.from_atoms(frames, {"energy": TARGET})
    model = small(dataset)
    loader = loader_of(model, dataset, 3)
    model.look_at(lambda: (batch.graph for batch in loader.epoch()))
    weights = torch.randn(model.n_weights, dtype=torch.float64)
    model.set_weights(weights)
    for batch in loader.epoch():
        columns = model.columns(batch.graph, forces=True, strain=True)
        predicted = model.predict_targets(batch.graph, all_gradients=True)["energy"]
        for part in ("values", "forces", "strain"):
            ours, theirs = getattr(columns, part) @ weights, getattr(predicted, part)
            torch.testing.assert_close(ours.view_as(theirs), theirs, atol=1e-9, rtol=1e-9)


def options(data: Path, **training: Any) -> dict[str, Any]:
    return {
        "seed": 3,
        "architecture": {
            "name": "experimental.linear_ace",
            "model": {k: v for k, v in SMALL.items() if k != "prior"},
            "training": training,
        },
        "training_set": {
            "systems": {"read_from": str(data), "length_unit": "angstrom"},
            "targets": {"energy": {"key": "energy", "unit": "eV", "forces": True}},
        },
        "validation_set": 0.2,
    }


def test_a_run_leaves_the_files_of_every_training_and_is_over_when_resumed(
    ethanol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    done = train(options(ethanol))
    assert done.directory is not None
    names = {path.name for path in done.directory.rglob("*") if path.is_file()}
    assert {"train.csv", "history.jsonl", "best.ckpt", "last.ckpt", "model.ckpt"} <= names
    (row,) = map(json.loads, (done.directory / "history.jsonl").read_text().splitlines())
    assert row["learning rate"] is None
    assert row["training forces RMSE"] < 300.0  # meV/Å, of forces of 1.5 eV/Å

    checkpoint = read(done.checkpoint)
    said = checkpoint["provenance"]["least_squares"]
    # what is solved is the loss: the squares that are left are its value
    assert said["loss"] == pytest.approx(row["training loss"], rel=1e-6)
    assert 0 < said["effective_parameters"] <= said["weights"]
    before = checkpoint["model_state_dict"]["weights"]

    caplog.set_level(logging.INFO)
    again = train(options(ethanol), restart=done.checkpoint, output="again.pt")
    assert "solved already" in caplog.text
    after = read(again.checkpoint)["model_state_dict"]["weights"]
    assert torch.equal(before, after)


def test_other_data_are_fitted_again_and_an_interrupt_leaves_nothing(
    ethanol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)

    def interrupt(category: str, values: Any, epoch: int) -> None:
        if category == "progress":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match="SIGINT"):
        train(options(ethanol), listeners=[interrupt])
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".ckpt", ".pt")]

    dataset = Dataset.from_atoms(ase.io.read(ethanol, ":"), {"energy": TARGET})
    architecture = registry.find("experimental.linear_ace").load()
    model, trainer = small(dataset), architecture.trainer({"ridge": 1e-6})
    devices = [torch.device("cpu")]
    caplog.set_level(logging.INFO)
    for part, said in ((10, "solved 280 equations"), (20, "fitted again")):
        data = [dataset.select(range(part))]
        trainer.train(model, torch.float64, devices, data, data, str(tmp_path))
        assert said in caplog.text
    assert trainer.report["equations"] == 560  # 20 energies, 540 components of forces
    assert trainer.report["ridge"] == 1e-6


def test_losses_other_than_squares_are_refused(
    ethanol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="minimises squares, not huber"):
        train(options(ethanol, loss="huber"), dry_run=True)

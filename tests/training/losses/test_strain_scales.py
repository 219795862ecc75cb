"""The scale of derivatives by strain of dipoles, against closed forms; in checkpoints too."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import ase.build
import numpy as np
import pytest
import torch

from mtt import Dataset
from mtt.interface import Run
from mtt.registry import find
from mtt.training.datasets import TrainingData
from mtt.training.losses.strain_scales import strain_scales
from mtt.training.setup import TrainingSetup

TINY = {
    **dict.fromkeys(("num_channels", "num_features", "num_radial"), 2),
    "cutoff": 3.0,
    "cutoff_width": 2.0,
    "max_angular": 1,
    "num_layers": 1,
}
VECTOR = {"unit": "e*Å", "type": {"cartesian": {"rank": 1}}}
BY_STRAIN = {"strain": {"key": "piezo"}}
BOTH = {"positions": {"key": "born"}, **BY_STRAIN}
MU = "mtt::mu"


def structures() -> list[ase.Atoms]:
    """Two, three and four copies of water in a row, of fixed charges: μ = Σ q r."""
    found = []
    for n in (2, 3, 4):
        water = ase.build.molecule("H2O")
        water.set_cell([4.0, 4.0, 4.0])
        atoms = water.repeat((n, 1, 1))
        atoms.rattle(0.1, seed=n)
        q = np.array([{1: 0.4, 8: -0.8}[z] for z in atoms.numbers])
        atoms.info["mu"] = mu = q @ atoms.positions
        slope = np.einsum("ab,i->iab", np.eye(3), q)
        by_strain = np.einsum("ab,i,ic->abc", np.eye(3), q, atoms.positions)
        atoms.arrays["born"] = slope.reshape(-1, 9)
        atoms.info["piezo"] = ((by_strain + by_strain.transpose(0, 2, 1)) / 2).reshape(27)
        atoms.info["energy"] = 0.1 * mu[0] - len(atoms)
        found.append(atoms)
    return found


def data(gradients: dict[str, Any], frames: list[ase.Atoms] | None = None, **more: Any) -> Dataset:
    targets = {MU: {"key": "mu", **VECTOR, "gradients": gradients, **more}}
    return Dataset.from_atoms(frames or structures(), targets, length_unit="angstrom")


def fitted(dataset: Dataset, **options: Any) -> Any:
    folder = find("density_messages").load()
    torch.manual_seed(3)
    model = folder.model({**folder.default_hypers["model"], **TINY}, dataset.info).double()
    model.fit_baselines(dataset, {**folder.trainer.platform_hypers(), **options})
    return model


def rms(values: list[Any]) -> float:
    flat = np.concatenate([np.asarray(one).ravel() for one in values])
    return float(np.sqrt((flat**2).mean()))


def test_beside_derivatives_by_positions_it_is_the_size_of_the_labels() -> None:
    dataset = data(BOTH)
    model = fitted(dataset)
    assert model.scales[MU] == pytest.approx(rms([a.arrays["born"] for a in structures()]))
    wanted = rms([a.info["piezo"] for a in structures()])
    assert strain_scales(model, dataset) == {MU: pytest.approx(wanted)}
    # a scale of the options: the ratio of both stays
    scaled = fitted(dataset, fixed_scaling_weights={MU: 10 * model.scales[MU]})
    assert strain_scales(scaled, dataset) == {MU: pytest.approx(10 * wanted)}


def test_beside_values_it_is_per_atom_where_the_scale_is() -> None:
    dataset = data(BY_STRAIN)
    wanted = rms([a.info["piezo"] / len(a) for a in structures()])
    assert strain_scales(fitted(dataset), dataset) == {MU: pytest.approx(wanted)}
    means = data(BY_STRAIN, extensive=False)
    wanted = rms([a.info["piezo"] for a in structures()])
    assert strain_scales(fitted(means), means) == {MU: pytest.approx(wanted)}


def test_labels_that_are_zero_have_none() -> None:
    frames = structures()
    for atoms in frames:
        atoms.info["piezo"] = np.zeros(27)
    dataset = data(BY_STRAIN, frames)
    assert strain_scales(fitted(dataset), dataset) == {}


def losses(trainer: Any, model: Any, dataset: Dataset) -> dict[str, float]:
    of = TrainingData(model, [dataset], [dataset])
    given = (trainer.options, Run(), model, of, trainer._state.strain_scales)
    setup = TrainingSetup(*given)
    return {term.name: term.scale for term in setup.losses[0].terms}


def trained(dataset: Dataset, folder: Path, **options: Any) -> tuple[Any, Any]:
    """A trainer after an epoch, and its model."""
    found, cpu = find("density_messages").load(), torch.device("cpu")
    hypers = {**found.trainer.platform_hypers(), **found.default_hypers["training"]}
    trainer = found.trainer({**hypers, "num_epochs": 1, "loss": "mse", **options})
    model = fitted(dataset)
    trainer.train(model, torch.float64, [cpu], [dataset], [dataset], str(folder))
    return trainer, model


def test_a_training_stores_it_and_older_ones_keep_that_of_the_target(tmp_path: Path) -> None:
    dataset = data(BOTH)
    trainer, model = trained(dataset, tmp_path)
    scales = losses(trainer, model, dataset)
    wanted = rms([a.info["piezo"] for a in structures()])
    assert scales[f"{MU} strain"] == pytest.approx(wanted)
    assert scales[MU] == scales[f"{MU} forces"] == model.scales[MU]
    stored = trainer._checkpoint(model)
    resumed = type(trainer).load_checkpoint(copy.deepcopy(stored), trainer.hypers, "restart")
    assert losses(resumed, model, data(BOTH, structures()[:1])) == scales
    stored["trainer_state"] |= {"version": 4}
    del stored["trainer_state"]["strain_scales"]
    older = type(trainer).load_checkpoint(stored, trainer.hypers, "restart")
    assert set(losses(older, model, dataset).values()) == {model.scales[MU]}


def test_without_scales_it_is_one(tmp_path: Path) -> None:
    dataset = data(BOTH)
    trainer, model = trained(dataset, tmp_path, scale_targets=False)
    assert set(losses(trainer, model, dataset).values()) == {1.0}

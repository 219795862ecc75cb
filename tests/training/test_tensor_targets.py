"""Vectors, and values of each element, beside energies: on ranks, in 16 bits, after fine-tuning."""

from __future__ import annotations

import copy
from typing import Any

import ase.build
import numpy as np
import pytest
import torch
from ase.calculators.singlepoint import SinglePointCalculator

from mtt import Dataset
from mtt.interface import Run
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import find

ENERGY: dict[str, Any] = {"energy": {"unit": "eV", "forces": True, "stress": False}}
IRREPS = {1: [{"o3_lambda": 0}], 6: [{"o3_lambda": 0, "num": 2}], 8: [{"o3_lambda": 1}]}
MU: dict[str, Any] = {"type": {"cartesian": {"rank": 1}}}
TENSORS: dict[str, Any] = {
    "mtt::mu": {"key": "mu", **MU},
    "mtt::c": {"key": "c", "sample_kind": "atom", "type": {"spherical": {"irreps": IRREPS}}},
}
SMALL: dict[str, Any] = {
    "soap_bpnn": {
        "soap": {"max_angular": 1, "max_radial": 1, "cutoff": {"radius": 3.0}},
        "bpnn": {"num_neurons_per_layer": 4, "num_hidden_layers": 1},
    },
    "density_messages": {
        **dict.fromkeys(("num_channels", "num_features", "num_radial"), 4),
        "num_layers": 1,
        "max_angular": 1,
        "cutoff": 3.0,
        "average_neighbors": 3.0,
    },
}


def molecules() -> list[ase.Atoms]:
    random, frames = np.random.default_rng(1), []
    for i in range(8):
        atoms = ase.build.molecule(("H2O", "CH3OH", "CH4", "H2O2")[i % 4])
        atoms.rattle(0.05, rng=random)
        rows = np.full((len(atoms), 3), np.nan)
        for row, number in zip(rows, atoms.numbers, strict=True):
            row[: (1, 2, 3)[(1, 6, 8).index(number)]] = 0.1 * number
        rows[0] = np.nan if i == 1 else rows[0]  # a missing label
        atoms.info["mu"], atoms.arrays["c"] = random.normal(size=3), rows
        forces = random.normal(size=(len(atoms), 3))
        atoms.calc = SinglePointCalculator(atoms, energy=-len(atoms), forces=forces)
        frames.append(atoms)
    return frames


@pytest.fixture(scope="module", params=SMALL)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return Dataset.from_atoms(molecules(), ENERGY | TENSORS, length_unit="angstrom")


def make(name: str, data: Dataset, **options: Any) -> Any:
    architecture = find(name).load()
    torch.manual_seed(3)
    hypers = deep_merge(architecture.default_hypers["model"], SMALL[name] | options)
    model = architecture.model(hypers, data.info).double()
    model.fit_baselines(data, architecture.trainer.platform_hypers())
    return model


def test_two_ranks_learn_what_one_learns(name: str, data: Dataset, check_two_ranks: Any) -> None:
    check_two_ranks(lambda: make(name, data), data)


def test_two_ranks_learn_from_inputs_spectra_and_derivatives_what_one_learns(
    check_two_ranks: Any,
) -> None:
    frames, random = molecules(), np.random.default_rng(2)
    for i, atoms in enumerate(frames):
        born = random.normal(size=(len(atoms), 9))
        atoms.info |= {"charge": i % 3 - 1, "heat": random.normal(), "dos": random.random(6)}
        atoms.info["mask"] = np.arange(6) < 3 + i % 3
        atoms.arrays |= {"site": random.normal(size=len(atoms)), "born": born}
    targets = {
        **ENERGY,
        "mtt::mu": {"key": False, **MU, "gradients": {"positions": {"key": "born"}}},
        "mtt::dos": {"key": "dos", "num_subtargets": 6},
    }
    extra = {
        "charge": {"key": "charge"},
        "heat": {"key": "heat"},
        "site": {"key": "site", "sample_kind": "atom"},
        "mtt::dos_mask": {"key": "mask", "num_subtargets": 6},
    }
    data = Dataset.from_atoms(frames, targets, extra_data=extra)
    inputs = {"inputs": ["charge", "heat", "site"]}
    check_two_ranks(lambda: make("density_messages", data, **inputs), data)


def test_a_mixed_averaged_augmented_training_learns_them(
    name: str, data: Dataset, tmp_path: Any
) -> None:
    architecture = find(name).load()
    options = {"num_epochs": 2, "batch_size": 4, "amp": "bf16", "ema": True, "optimizer": "adam"}
    options |= {"augmentation": "o3", "extended_metrics": True}
    trainer = architecture.trainer(
        deep_merge(
            deep_merge(
                architecture.trainer.platform_hypers(), architecture.default_hypers["training"]
            ),
            options,
        )
    )
    trainer.run = Run(seed=5, architecture=name, listeners=[], own_loggers=False)
    model = make(name, data).float()
    before = copy.deepcopy(model.state_dict())
    cpu = [torch.device("cpu")]
    trainer.train(model, torch.float32, cpu, [data], [data.select(np.arange(4))], str(tmp_path))
    heads = [key for key in before if key.startswith("heads.") and before[key].ndim > 1]
    assert all(not torch.equal(model.state_dict()[key], before[key]) for key in heads)
    last = trainer._state.history[-1]
    assert last["validation mtt::c l=1 RMSE"] > 0
    assert all(bool(value.isfinite().all()) for value in model.state_dict().values())

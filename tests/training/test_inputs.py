"""Charge, spin and other inputs of a model: on two ranks, and in 16 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.build
import numpy as np
import pytest
import torch

from mtt import Dataset
from mtt.interface import Run
from mtt.mlip.networks import PlainNetwork
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import find

STATES = ["charge", "spin_multiplicity"]
SMALL: dict[str, dict[str, Any]] = {
    "density_messages": {
        **dict.fromkeys(("num_channels", "num_features", "num_radial"), 4),
        "num_layers": 1,
        "max_angular": 1,
        "cutoff": 3.0,
        "average_neighbors": 3.0,
        "inputs": [*STATES, "temperature", "site"],
    },
    "pet": {
        **dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward"), 4),
        **dict.fromkeys(("num_heads", "num_gnn_layers", "num_attention_layers"), 1),
        "cutoff": 3.0,
        "inputs": STATES,
    },
}
EXTRA: dict[str, Any] = {name: {} for name in (*STATES, "temperature")}


@pytest.fixture(scope="module")
def data() -> Dataset:
    random, frames = np.random.default_rng(1), []
    for i in range(8):
        atoms = ase.build.molecule(("H2O", "CH3OH", "CH4", "H2O2")[i % 4])
        atoms.rattle(0.05, rng=random)
        charge = (0, 1, -1, 2)[i // 2]
        atoms.info |= {"charge": charge, "spin_multiplicity": 1 + abs(charge) % 2}
        atoms.info |= {"temperature": 300.0 + 50 * i, "energy": charge - len(atoms)}
        atoms.arrays["site"] = random.normal(size=len(atoms))
        atoms.arrays["forces"] = random.normal(size=(len(atoms), 3))
        frames.append(atoms)
    energy = {"key": "energy", "unit": "eV", "forces": {"key": "forces"}, "stress": False}
    extra = {**EXTRA, "site": {"sample_kind": "atom"}}
    return Dataset.from_atoms(frames, {"energy": energy}, extra_data=extra, length_unit="angstrom")


@pytest.fixture(scope="module", params=SMALL)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make(name: str, data: Dataset) -> Any:
    architecture = find(name).load()
    torch.manual_seed(3)
    hypers = deep_merge(architecture.default_hypers["model"], SMALL[name])
    model = architecture.model(hypers, data.info).double()
    model.fit_baselines(data, architecture.trainer.platform_hypers())
    with torch.no_grad():  # contributions of inputs begin with zero
        for key, parameter in model.named_parameters():
            if "conditioning" in key:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def test_two_ranks_learn_what_one_learns(name: str, data: Dataset, check_two_ranks: Any) -> None:
    check_two_ranks(lambda: make(name, data), data)


def test_sixteen_bits_agree_and_a_training_moves_the_weights_of_the_inputs(
    name: str, data: Dataset, make_batch: Any, tmp_path: Path
) -> None:
    model = make(name, data).float()
    batch = make_batch(data, model)
    exact = model.predict_targets(batch.graph)["energy"]
    low = model.predict_targets(batch.graph, network=PlainNetwork(model, torch.bfloat16))["energy"]
    for one, other in ((low.values, exact.values), (low.forces, exact.forces)):
        assert one is not None
        assert other is not None
        assert float((one - other).norm() / other.norm()) < 3e-2
    architecture = find(name).load()
    defaults = architecture.trainer.platform_hypers()
    hypers = deep_merge(defaults, architecture.default_hypers["training"])
    options = {"num_epochs": 1, "batch_size": 4, "amp": "bf16", "warmup_fraction": 0.0}
    trainer = architecture.trainer(deep_merge(hypers, options))
    trainer.run = Run(seed=5, architecture=name, listeners=[], own_loggers=False)
    before = {key: one.clone() for key, one in model.named_parameters() if "conditioning" in key}
    cpu = [torch.device("cpu")]
    trainer.train(model, torch.float32, cpu, [data], [data], str(tmp_path))
    after = dict(model.named_parameters())
    assert before
    assert all(not torch.equal(after[key], value) for key, value in before.items())

"""From a model of energies to vectors, tensors and spectra: heads alone, low rank, everything."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import torch

from mtt import Dataset, TargetInfo
from mtt.data import Batching, Loader
from mtt.data.info import DatasetInfo
from mtt.mlip.finetune.fine_tune import fine_tune
from mtt.options.training import parse
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import find

SMALL: dict[str, dict[str, Any]] = {
    "density_messages": {
        **dict.fromkeys(("num_channels", "num_features", "num_radial"), 4),
        "cutoff": 3.0,
        "max_angular": 2,
        "num_layers": 1,
    },
    "pet": {
        **dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward"), 4),
        **dict.fromkeys(("num_heads", "num_gnn_layers", "num_attention_layers"), 1),
        "cutoff": 3.0,
    },
    "soap_bpnn": {
        "soap": {"max_radial": 2, "max_angular": 2, "cutoff": {"radius": 3.0}},
        "bpnn": {"num_neurons_per_layer": 4, "num_hidden_layers": 1},
    },
}
TARGETS: dict[str, Any] = {
    "mtt::dipole": {"key": "dipole", "type": {"cartesian": {"rank": 1}}},
    "mtt::alpha": {
        "key": "polarizability",
        "type": {"cartesian": {"rank": 2, "symmetric": True}},
    },
    "mtt::spectrum": {"key": "spectrum", "num_subtargets": 30, "aggregation": "sum"},
}


@pytest.fixture(scope="module")
def data(root: Path) -> Dataset:
    """Ethanol, with dipole, polarizability and a histogram of the distances."""
    frames = ase.io.read(root / "examples" / "data" / "ethanol_dipoles.xyz", ":3")
    for atoms in frames:
        distances = atoms.get_all_distances()[np.triu_indices(len(atoms), 1)]
        grid = np.linspace(0.8, 4.0, 30)[:, None]
        atoms.info["spectrum"] = np.exp(-((grid - distances) ** 2) / 0.1).sum(1)
    return Dataset.from_atoms(frames, TARGETS, length_unit="angstrom")


def source(name: str, data: Dataset) -> Any:
    """A model of energies, as after a training."""
    torch.manual_seed(3)
    folder = find(name).load()
    info = DatasetInfo("angstrom", data.info.atomic_types, {"energy": TargetInfo.energy()})
    model = folder.model(deep_merge(folder.default_hypers["model"], SMALL[name]), info).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


CASES = [("density_messages", one) for one in ("heads", "lora", "full")]


@pytest.mark.parametrize(("name", "method"), [*CASES, ("pet", "lora"), ("soap_bpnn", "heads")])
def test_new_heads_learn_over_the_layers_of_the_source(
    name: str, method: str, data: Dataset
) -> None:
    known = source(name, data)
    options = parse({"finetune": {"read_from": "x", "method": method, "inherit_heads": {}}})
    model = fine_tune(known, known.hypers, data.info, data, options).model
    heads = [module for names in model.head_modules().values() for module in names]
    shared = {
        key: value
        for key, value in known.state_dict().items()
        if not key.startswith(("composition", "scale", "readout", *known.head_modules()["energy"]))
    }
    if method != "lora":  # whose weights are called otherwise
        assert shared
        assert all(torch.equal(model.state_dict()[key], value) for key, value in shared.items())
    trained = {key for key, one in model.named_parameters() if one.requires_grad}
    fresh = {key for key, _ in model.named_parameters() if key.startswith((*heads, "readout"))}
    assert fresh <= trained
    assert (trained == fresh) == (method == "heads")
    before = copy.deepcopy(model.state_dict())
    first, last = learn(model, data)
    assert last < first
    after = model.state_dict()
    frozen = [key for key, one in model.named_parameters() if not one.requires_grad]
    assert all(torch.equal(after[key], before[key]) for key in frozen)
    merged = type(model).load_checkpoint(model.get_checkpoint(), "export")
    (batch,) = Loader(data, model.dataset_info.atomic_types, **how(model)).epoch()
    for target, values in model.predict_targets(batch.graph).items():
        own = merged.predict_targets(batch.graph)[target].values
        torch.testing.assert_close(own, values.values, rtol=1e-9, atol=1e-9)


def how(model: Any) -> Any:
    batching = Batching(structures=3)
    return {"cutoff": model.list_cutoff(), "dtype": model.dtype, "batching": batching} | {
        "shuffle": False
    }


def learn(model: Any, data: Dataset) -> tuple[float, float]:
    """The loss before and after eight steps."""
    (batch,) = Loader(data, model.dataset_info.atomic_types, **how(model)).epoch()
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=0.03)
    losses = []
    for _ in range(9):
        found = model.predict_targets(batch.graph, create_graph=True)
        errors = [
            ((found[key].values - label.values) / model.scales[key]).square().mean()
            for key, label in batch.targets.items()
        ]
        loss = torch.stack(errors).sum()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses[0], losses[-1]

"""Features of atoms, as outputs of models and of exported files."""

from __future__ import annotations

from typing import Any

import ase.build
import numpy as np
import pytest
import torch
from metatomic.torch import ModelEvaluationOptions, ModelOutput

from mtt import DatasetInfo, TargetInfo
from mtt.exporting import probe
from mtt.exporting.structures import structure
from mtt.mlip.outputs.features import feature_names, is_feature
from mtt.registry import find
from mtt.testing import graph_of

LAST = "mtt::aux::energy_last_layer_features"
MODELS: dict[str, dict[str, Any]] = {
    "density_messages": {
        **dict.fromkeys(("num_channels", "num_features", "num_radial"), 4),
        "cutoff": 3.0,
        "cutoff_width": 2.0,
        "max_angular": 1,
        "num_layers": 1,
    },
    "pet": {
        **dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward"), 4),
        "num_heads": 1,
        "num_gnn_layers": 2,
        "num_attention_layers": 1,
        "cutoff": 3.0,
    },
    "soap_bpnn": {
        "soap": {"max_radial": 2, "max_angular": 1, "cutoff": {"radius": 3.0, "width": 1.0}},
        "bpnn": {"num_neurons_per_layer": 4, "num_hidden_layers": 1, "layernorm": False},
    },
    "experimental.linear_ace": {"features": 10},
}


def make(name: str) -> Any:
    from mtt.options.yaml.overrides import deep_merge

    torch.manual_seed(3)
    folder = find(name).load()
    hypers = deep_merge(folder.default_hypers["model"], MODELS[name])
    info = DatasetInfo("angstrom", (1, 6, 8), {"energy": TargetInfo.energy(forces=True)})
    model = folder.model(hypers, info).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def asked(model: Any, outputs: dict[str, ModelOutput], exported: bool = False) -> Any:
    atoms = ase.build.molecule("CH3OH")
    lists = model.requested_neighbor_lists()
    content = structure(atoms, lists)
    system = probe.system(content, content["positions"], torch.eye(3).double(), lists)
    if not exported:
        return model([system], outputs)
    options = ModelEvaluationOptions(length_unit="angstrom", outputs=outputs)
    return model.export()([system], options, check_consistency=True)


@pytest.mark.parametrize("name", MODELS)
def test_exported_files_offer_features_of_atoms_and_their_sums(name: str) -> None:
    model = make(name)
    both = {one: ModelOutput(sample_kind="atom") for one in ("feature", LAST)}
    of_atoms = asked(model, both, exported=True)
    sums = asked(model, {one: ModelOutput(sample_kind="system") for one in both})
    assert sorted(of_atoms) == sorted(both)
    for one in both:
        values = of_atoms[one].block().values
        assert of_atoms[one].block().samples.names == ["system", "atom"]
        assert values.shape[0] == 6
        torch.testing.assert_close(sums[one].block().values, values.sum(0, keepdim=True))


def last_weights(model: Any) -> torch.Tensor:
    """[n_types or 1, n], what multiplies the last-layer features; biases are set to zero."""
    if hasattr(model, "weights"):
        return model.weights
    if hasattr(model, "heads"):
        return model.heads[0].last.weight.reshape(-1, model.heads[0].last.weight.shape[-1])
    (readout,) = model.readouts
    layers = [one[-1] for pair in zip(readout.nodes, readout.pairs, strict=True) for one in pair]
    for layer in layers:
        torch.nn.init.zeros_(layer.bias)
    return torch.cat([layer.weight for layer in layers], dim=1)


@pytest.mark.parametrize("name", MODELS)
def test_the_last_layer_multiplies_the_last_layer_features(name: str) -> None:
    model = make(name)
    graph = graph_of(model, [ase.build.molecule("CH3OH"), ase.build.molecule("CH3CH2OH")])
    with torch.no_grad():
        weights = last_weights(model)
        own = weights[graph.types] if len(weights) > 1 else weights
        values = (own * model.atomic_features(graph)["energy"]).sum(1)
        torch.testing.assert_close(values, model.predict(graph)["energy"].reshape(-1))


def test_features_are_computed_only_where_they_are_asked_for(monkeypatch: Any) -> None:
    model = make("density_messages")

    def refuse(graph: Any) -> Any:
        raise AssertionError("was not asked for")

    monkeypatch.setattr(model, "atomic_features", refuse)
    assert list(asked(model, {"energy": ModelOutput(sample_kind="system")})) == ["energy"]
    monkeypatch.undo()
    monkeypatch.setattr(model, "predict", refuse)
    assert list(asked(model, {"feature": ModelOutput(sample_kind="atom")})) == ["feature"]


def test_only_invariant_targets_have_last_layer_features() -> None:
    targets = {
        "mtt::mu": TargetInfo(kind='cartesian {"rank": 1}'),
        "mtt::gap": TargetInfo(),
        "energy/pbe": TargetInfo.energy(),
    }
    names = feature_names(True, targets)
    assert [one for one in names if one] == [
        "feature",
        "mtt::aux::gap_last_layer_features",
        "mtt::aux::energy/pbe_last_layer_features",
    ]
    assert all(is_feature(one) for one in names if one)
    assert [one for one in feature_names(False, targets) if one] == []
    assert not is_feature("mtt::aux::energy_uncertainty")


def test_those_of_selected_atoms_are_theirs_alone() -> None:
    from metatensor.torch import Labels

    model = make("density_messages")
    lists = model.requested_neighbor_lists()
    content = structure(ase.build.molecule("CH3OH"), lists)
    system = probe.system(content, content["positions"], torch.eye(3).double(), lists)
    chosen = Labels(["system", "atom"], torch.tensor([[0, 1], [0, 4]], dtype=torch.int32))
    outputs = {"feature": ModelOutput(sample_kind="atom")}
    some = model([system], outputs, chosen)["feature"].block().values
    rows = model([system], outputs)["feature"].block().values[np.array([1, 4])]
    torch.testing.assert_close(some, rows)

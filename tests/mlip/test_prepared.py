"""What a loader prepares for a model changes no bit of what it predicts."""

from __future__ import annotations

import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.data import Batching, Dataset, Loader
from mtt.mlip.compiled import CompiledNetwork
from mtt.mlip.networks import PlainNetwork, preparing
from mtt.mlip.systems import pairs_within, seen_pairs
from mtt.registry import find

INFO = DatasetInfo("angstrom", (1, 6, 8), {"energy": TargetInfo.energy()})
SMALL = {"num_features": 4, "num_channels": 4, "num_layers": 2, "max_angular": 1, "cutoff": 3.5}


@pytest.fixture(scope="module")
def model():
    architecture = find("density_messages").load()
    torch.manual_seed(1)
    return architecture.model(architecture.default_hypers["model"] | SMALL, INFO).double()


def batch_of(atoms, model, cutoff=3.5, **options):
    dataset = Dataset.from_atoms(atoms, {})
    how = {"batching": Batching(structures=9), "shuffle": False, "dtype": torch.float64}
    return next(Loader(dataset, (1, 6, 8), cutoff=cutoff, **how, **options).epoch())


def test_predictions_are_the_same_bits(model, ethanol, crystal):
    plain = batch_of([ethanol, crystal], model).graph
    prepared = batch_of([ethanol, crystal], model, prepare=preparing(model)).graph
    assert plain.prepared is None
    assert prepared.prepared is not None
    found = [model.predict_targets(one, all_gradients=True)["energy"] for one in (plain, prepared)]
    assert all(map(torch.equal, *found))


def test_pairs_beyond_the_network_are_left_out_before(model, ethanol, crystal, monkeypatch):
    monkeypatch.setattr(model, "list_cutoff", lambda: 5.0)  # as that of a prior may be
    of = ([ethanol, crystal], model, 5.0)
    plain, prepared = batch_of(*of).graph, batch_of(*of, prepare=preparing(model)).graph
    assert torch.equal(prepared.seen, pairs_within(plain, 3.5))
    assert 0 < len(prepared.seen) < len(plain.centers)
    assert seen_pairs(prepared, 5.0, 3.5).centers.shape == prepared.seen.shape
    found = [model.predict_targets(one, all_gradients=True)["energy"] for one in (plain, prepared)]
    assert all(map(torch.equal, *found))


def test_what_is_prepared_is_not_prepared_again(model, ethanol, monkeypatch):
    graph = batch_of([ethanol], model, prepare=preparing(model)).graph

    def never(graph):
        raise AssertionError("prepared a second time")

    monkeypatch.setattr(model, "prepare", never)
    PlainNetwork(model)(graph)
    assert len(CompiledNetwork(model, lambda: [graph])._inputs(graph)) == 7 + len(graph.prepared)

"""The choice of replayed structures."""

import ase.build
import numpy as np
import pytest
import torch

from mtt import Dataset, DatasetInfo, TargetInfo
from mtt.architectures.density_messages import __model__ as DensityMessages
from mtt.errors import ConfigError
from mtt.mlip.batches import batches_of
from mtt.mlip.systems import seen_pairs
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import find
from mtt.workflows.finetune.replay.choose import at_random, farthest_points, structure_features

INFO = DatasetInfo("angstrom", (1, 6, 8), {"energy": TargetInfo.energy(forces=True)})


@pytest.fixture
def model():
    small = {"num_channels": 4, "num_features": 5, "num_layers": 1, "max_angular": 1}
    hypers = deep_merge(find("density_messages").load().default_hypers["model"], small)
    torch.manual_seed(0)
    return DensityMessages(hypers, INFO).to(torch.float64)


@pytest.fixture
def dataset():
    molecules = [ase.build.molecule(name) for name in ("H2O", "CH3OH", "CH4")]
    return Dataset.from_atoms(molecules, {})


def test_each_point_is_the_farthest_from_those_before_it():
    places = torch.tensor([[0.0], [1.0], [10.0], [4.0], [9.0]], dtype=torch.float64)
    chosen = farthest_points(places, 4, seed=3).tolist()
    taken = [chosen[0]]
    for index in chosen[1:]:
        gaps = (places - places[taken].T).abs().amin(dim=1)
        assert gaps[index] == gaps.max()
        taken.append(index)
    assert farthest_points(places, 4, seed=3).tolist() == chosen


def test_features_count_in_their_own_spread_and_constant_ones_not_at_all():
    few = torch.tensor([[0.0, 0.0], [1e-6, 1.0], [2e-6, 0.0], [3e-6, 1.0]], dtype=torch.float64)
    with_constant = torch.cat([few * torch.tensor([1e9, 1.0]), torch.full((4, 1), 7.0)], dim=1)
    assert farthest_points(few, 3, 0).tolist() == farthest_points(with_constant, 3, 0).tolist()


def test_equal_structures_are_not_taken_twice():
    chosen = farthest_points(torch.zeros(5, 2, dtype=torch.float64), 5, seed=1)
    assert sorted(chosen.tolist()) == [0, 1, 2, 3, 4]


def test_a_random_choice_follows_from_the_seed():
    assert at_random(20, 6, 4).tolist() == at_random(20, 6, 4).tolist()
    assert at_random(20, 6, 4).tolist() != at_random(20, 6, 5).tolist()
    assert len(np.unique(at_random(20, 20, 4))) == 20


def test_features_are_the_inputs_of_the_last_layer_averaged_over_atoms(model, dataset):
    found = structure_features(model, "energy", dataset, "cpu")
    seen = []
    model.heads[0].last.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    for batch, row in zip(batches_of(model, dataset, 1), found, strict=True):
        seen.clear()
        graph = seen_pairs(batch.graph, model.list_cutoff(), model.cutoff)
        model.predict(graph)
        of_atoms, alone = seen[0].split([len(graph.types), 3])
        torch.testing.assert_close(row, (of_atoms - alone[graph.types]).mean(dim=0))


def test_weights_that_are_never_trained_give_no_features(model, dataset):
    whole = structure_features(model, "energy", dataset, "cpu")
    last = model.heads[0].last
    others = [
        one for one in model.heads.parameters() if all(one is not w for w in last.parameters())
    ]
    for one in others:
        one.requires_grad_(False)
    assert torch.equal(structure_features(model, "energy", dataset, "cpu"), whole)
    last.weight.requires_grad_(False)
    others[0].requires_grad_(True)
    rest = structure_features(model, "energy", dataset, "cpu")
    assert rest.shape == (
        3,
        others[0].numel() + sum(p.numel() for p in last.parameters() if p.requires_grad),
    )


def test_a_model_that_does_not_name_its_heads_is_refused(model, dataset):
    model.head_modules = dict
    with pytest.raises(ConfigError, match=r"replay.select: .* use select: random"):
        structure_features(model, "energy", dataset, "cpu")

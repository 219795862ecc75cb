"""The loss of a replay: L(new labels) + weight · L(replayed labels)."""

import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.architectures.soap_bpnn import __model__ as SoapBPNN
from mtt.data import Batching, Dataset, Loader, merge
from mtt.data.combine import with_targets_of
from mtt.options.training import TrainingOptions
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import find
from mtt.training.losses.from_options import make_loss
from mtt.training.losses.second_heads import with_second_heads

ENERGY = TargetInfo.energy(forces=True)
INFO = DatasetInfo("angstrom", (1, 6), {"energy": ENERGY, "energy/source": ENERGY})
INFO_OF_NEW = INFO.with_targets({"energy": ENERGY})
INFO_OF_OLD = INFO.with_targets({"energy/source": ENERGY})
SMALL = {"soap": {"max_angular": 1, "max_radial": 1, "cutoff": {"radius": 3.0}}}
HYPERS = deep_merge(find("soap_bpnn").load().default_hypers["model"], SMALL)
PARTNERS = {"energy/source": "energy"}
SCALES = {"energy": 1.0, "energy/source": 1.0}
GIVEN = {"energy": {"type": "mae", "weight": 2.0, "gradients": {"positions": {"weight": 3.0}}}}


def options(loss, **others):
    return TrainingOptions.of({"loss": loss, **others})


def terms(given, weight, **others):
    section = with_second_heads(options(given, **others), INFO, PARTNERS, weight)
    return {term.name: term for term in make_loss(section, INFO, SCALES).terms}


@pytest.mark.parametrize("weight", [0.25, 1.0, 4.0])
def test_every_weight_of_the_second_head_is_that_of_its_partner_times_one(weight):
    found = terms(GIVEN, weight)
    assert {name: term.weight for name, term in found.items()} == {
        "energy": 2.0,
        "energy forces": 3.0,
        "energy/source": 2.0 * weight,
        "energy/source forces": 3.0 * weight,
    }
    assert found["energy/source"].type == "mae"


def test_one_name_for_all_losses_and_weights_by_epoch_are_multiplied_too():
    assert terms("mse", 0.5)["energy/source forces"].weight == 0.5
    by_epoch = {"energy": {"weight": {0: 1.0, 4: 8.0, "interpolation": "linear"}}}
    by_epoch["energy"]["gradients"] = {"positions": {}}
    schedule = terms(by_epoch, 0.5)["energy/source"].schedule
    assert (schedule.epochs, schedule.weights, schedule.linear) == ((0, 4), (0.5, 4.0), True)


def test_per_structure_targets_and_absent_derivatives_follow():
    assert not terms("mse", 1.0, per_structure_targets=["energy"])["energy/source"].per_atom
    info = INFO.with_targets({"energy": ENERGY, "energy/source": TargetInfo.energy()})
    section = with_second_heads(options(GIVEN), info, PARTNERS, 1.0)
    assert section.loss["energy/source"].gradients == {}


def test_without_second_heads_the_options_are_the_same_object():
    given = options(GIVEN)
    assert with_second_heads(given, INFO, {}, 2.0) is given


@pytest.fixture
def sets(frames):
    """New structures, replayed ones, and both as one, with the targets of the model."""
    new = Dataset.from_frames(frames[:3], INFO_OF_NEW)
    old = Dataset.from_frames(
        [one._replace(labels={"energy/source": one.labels["energy"]}) for one in frames[3:8]],
        INFO_OF_OLD,
    )
    return [with_targets_of(one, INFO) for one in (new, old, merge([new, old]))]


def batch_of(dataset):
    how = {"batching": Batching(structures=len(dataset)), "dtype": torch.float64, "shuffle": False}
    (batch,) = Loader(dataset, INFO.atomic_types, cutoff=3.0, **how).epoch()
    return batch


@pytest.mark.parametrize("weight", [0.25, 4.0])
def test_the_loss_and_its_gradient_are_the_weighted_sum(weight, sets):
    """Of a batch that holds both kinds of structures, against each kind by itself."""
    torch.manual_seed(0)
    model = SoapBPNN(HYPERS, INFO).to(torch.float64)
    parameters = [*model.parameters()]

    def of(dataset, factor):
        section = with_second_heads(options("mse"), INFO, PARTNERS, factor)
        loss, batch = make_loss(section, INFO, SCALES, dataset), batch_of(dataset)
        predictions = model.predict_targets(batch.graph, create_graph=True)
        value = sum(loss.weighted(loss(predictions, batch)))
        found = torch.autograd.grad(value, parameters, allow_unused=True)
        return value, [
            torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)
        ]

    (new, g_new), (old, g_old), (whole, g) = of(sets[0], 1.0), of(sets[1], 1.0), of(sets[2], weight)
    assert new > 0
    assert old > 0
    torch.testing.assert_close(whole, new + weight * old)
    torch.testing.assert_close(g, [a + weight * b for a, b in zip(g_new, g_old, strict=True)])

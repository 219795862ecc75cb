"""Sums over the batches of an epoch."""

import pytest
import torch

from mtt.options.training import TrainingOptions
from mtt.ranks import SerialRanks
from mtt.training.losses.from_options import make_loss
from mtt.training.reporting.meter import Meter


@pytest.fixture
def metered(make_model, make_batch, dataset):
    """A meter that has seen some structures, one batch for each list."""
    model = make_model().to(torch.float64)
    loss = make_loss(TrainingOptions(), model.dataset_info, model.scales, dataset)

    def make(*batches, extended=True, norms=True):
        meter = Meter(loss, model.dataset_info, model.device, extended, ranks=SerialRanks())
        for chosen in batches:
            batch = make_batch(dataset.select(chosen), model)
            predictions = model.predict_targets(batch.graph, create_graph=False)
            norm = torch.tensor(float(len(chosen))) if norms else None
            meter.add(loss(predictions, batch), predictions, batch, norm)
        return meter

    return make


def test_batches_of_any_size_give_loss_and_errors_of_one_batch(metered):
    one = metered(list(range(9))).compute()
    several = metered([8, 0], [1], [7, 2, 3], [4, 5, 6]).compute()
    del one["gradient norm"], several["gradient norm"]
    assert several == pytest.approx(one, rel=1e-12)


def test_the_gradient_norm_is_the_mean_over_the_steps(metered):
    assert metered([0, 1], [2], [3, 4, 5]).compute()["gradient norm"] == 2.0
    assert metered([0], norms=False).compute()["gradient norm"] != 0.0  # there was no step


def test_merged_meters_are_one_that_saw_all(metered):
    meter = metered([0, 1], [2])
    meter.merge(metered([3, 4, 5]))
    assert meter.compute() == pytest.approx(metered([0, 1], [2], [3, 4, 5]).compute(), rel=1e-14)


@pytest.mark.parametrize("extended", [False, True])
def test_a_stored_meter_resumes_bit_for_bit(metered, extended):
    stored = metered([0, 1], [2], extended=extended).state_dict()
    resumed = metered(extended=extended)
    resumed.load_state_dict(stored)
    again = resumed.state_dict()
    assert all(torch.equal(stored[name], again[name]) for name in stored)
    assert resumed.compute() == metered([0, 1], [2], extended=extended).compute()


def test_what_is_stored_does_not_change_with_the_meter(metered):
    meter = metered([0, 1])
    stored = meter.state_dict()
    before = {name: value.clone() for name, value in stored.items()}
    meter.merge(metered([2]))
    assert all(torch.equal(before[name], stored[name]) for name in stored)


def test_extended_metrics_leave_the_others_bitwise_unchanged(metered):
    plain = metered([0, 1], [2, 3], extended=False).compute()
    extended = metered([0, 1], [2, 3]).compute()
    assert {name: extended[name] for name in plain} == plain
    assert {"forces C MaxAE", "forces x RMSE", "forces cosine"} <= set(extended) - set(plain)

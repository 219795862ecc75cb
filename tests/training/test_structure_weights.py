"""Weights of structures, and mixed data sets, in the gradients of a real model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mtt.data import Dataset, merge
from mtt.graph import Target
from mtt.options.training import parse
from mtt.training.losses.from_options import make_loss

HUBER = {"type": "huber", "delta": 0.3, "weight": 2.0}


def loss_of(model, reduction):
    positions = {**HUBER, "weight": 7.0, "reduction": reduction}
    given = {"energy": {**HUBER, "reduction": reduction, "gradients": {"positions": positions}}}
    hypers = parse({"loss": given})
    return make_loss(hypers, model.dataset_info, model.scales)


def gradient_of(model, loss, batch, counts=None):
    """Of the weighted sum of all terms, by all weights of the model."""
    predictions = model.predict_targets(batch.graph, create_graph=True)
    total = sum(loss.weighted(loss(predictions, batch), counts))
    gradients = torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
    return torch.cat([g.flatten() for g in gradients if g is not None])


@pytest.mark.parametrize("reduction", ["mean", "sum", "structure_mean"])
def test_weights_of_structures_weigh_their_gradients(
    make_model, make_batch, frames, dataset, reduction
):
    model = make_model().to(torch.float64)
    loss = loss_of(model, reduction)
    weights = [0.0, 0.5, 3.0, 1.0]
    weighted = [frame._replace(weight=w) for frame, w in zip(frames[:4], weights, strict=True)]
    batch = make_batch(Dataset.from_frames(weighted, dataset.info), model)
    assert batch.weights.tolist() == weights
    counts = loss.counts(batch)
    assert make_batch(dataset, model).weights is None
    parts = [
        w * gradient_of(model, loss, make_batch(dataset.select([i]), model), counts)
        for i, w in enumerate(weights)
    ]
    torch.testing.assert_close(
        gradient_of(model, loss, batch), torch.stack(parts).sum(0), rtol=1e-11, atol=1e-14
    )


def test_the_weight_of_a_data_set_weighs_what_it_adds(make_model, make_batch, dataset):
    model = make_model().to(torch.float64)
    loss = loss_of(model, "mean")
    one, two = dataset.select(np.arange(3)), dataset.select(np.arange(3, 8)).weighted(4.0)
    both = make_batch(merge([one, two]), model)
    counts = loss.counts(both)
    first = gradient_of(model, loss, make_batch(one, model), counts)
    second = gradient_of(model, loss, make_batch(two.weighted(1.0), model), counts)
    torch.testing.assert_close(
        gradient_of(model, loss, both), first + 4 * second, rtol=1e-11, atol=1e-14
    )


@pytest.mark.parametrize("reduction", ["mean", "structure_mean"])
def test_energies_of_some_and_forces_of_others_train_together(
    make_model, make_batch, dataset, reduction
):
    model = make_model().to(torch.float64)
    loss = loss_of(model, reduction)
    batch = make_batch(dataset.select(np.arange(6)), model)
    labels, nan = batch.targets["energy"], float("nan")
    has_energy = torch.tensor([True, False, True, False, False, True])
    values = torch.where(has_energy[:, None], labels.values, nan)
    forces = torch.where(has_energy[batch.graph.system][:, None], nan, labels.forces)
    nothing = Target(torch.full_like(values, nan), torch.full_like(forces, nan))

    def gradient(values, forces):
        return gradient_of(model, loss, replace(batch, targets={"energy": Target(values, forces)}))

    both = gradient(values, forces)
    energies_alone = gradient(values, nothing.forces)
    forces_alone = gradient(nothing.values, forces)
    torch.testing.assert_close(both, energies_alone + forces_alone, rtol=1e-11, atol=1e-14)
    assert energies_alone.abs().max() > 0
    assert torch.equal(gradient(*nothing[:2]), torch.zeros_like(both))

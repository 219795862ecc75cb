"""One optimizer step: its order, its guard, its clipping."""

from dataclasses import replace

import pytest
import torch

from mtt.graph import Target
from mtt.training import default_hypers
from mtt.training.step import Step
from mtt.training.terms import make_loss


@pytest.fixture
def make_step(make_model, dataset):
    def make(max_norm=None, complete=True, optimizer=torch.optim.SGD):
        model = make_model().to(torch.float64)
        loss = make_loss(
            default_hypers(), model.dataset_info, model.scales, *([dataset] if complete else [])
        )
        if not complete:
            terms = [term.__class__(**{**vars(term), "complete": False}) for term in loss.terms]
            loss = loss.__class__(terms)
        return Step(model, loss, optimizer(model.parameters(), lr=1.0), max_norm)

    return make


def weights(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def test_a_step_of_sgd_is_the_gradient_of_the_weighted_sum(make_step, make_batch, dataset):
    step = make_step()
    batch, before = make_batch(dataset, step.model), weights(step.model)
    step(batch, 0.125)
    for name, value in step.model.named_parameters():
        torch.testing.assert_close(value.detach(), before[name] - 0.125 * value.grad)


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_clipping_limits_the_global_norm_and_reports_the_one_before(
    make_step, make_batch, dataset, factor
):
    free = make_step()
    batch = make_batch(dataset, free.model)
    norm = free(batch, 0.0).norm.item()
    step = make_step(max_norm=factor * norm)
    before = weights(step.model)
    result = step(batch, 1.0)
    assert result.norm.item() == pytest.approx(norm, rel=1e-12)
    moved = torch.cat(
        [(value - before[name]).flatten() for name, value in step.model.named_parameters()]
    )
    expected = norm * min(1.0, factor)
    assert torch.linalg.vector_norm(moved).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("poison", ["label", "weight"])
def test_what_is_not_finite_never_reaches_the_weights(make_step, make_batch, dataset, poison):
    step = make_step(optimizer=torch.optim.Adam)
    batch = make_batch(dataset, step.model)
    if poison == "label":
        labels = batch.targets["energy"]
        forces = labels.forces.clone()
        forces[0, 0] = torch.inf
        batch = replace(batch, targets={"energy": Target(labels.values, forces)})
    else:
        with torch.no_grad():
            step.model.network[3].weight[0, 0] = torch.inf
    before = weights(step.model)
    result = step(batch, 0.1)
    assert result.fault == "not finite"
    expected = (
        "the loss of energy forces" if poison == "label" else "the loss of energy, energy forces"
    )
    assert step.explain(result) == expected
    for name, value in step.model.named_parameters():
        assert torch.equal(value, before[name])
    assert not step.optimizer.state


def test_a_batch_without_labels_moves_nothing_even_with_momentum(make_step, make_batch, dataset):
    step = make_step(complete=False, optimizer=torch.optim.Adam)
    batch = make_batch(dataset, step.model)
    assert step(batch, 0.01).fault == ""
    missing = Target(*(torch.full_like(part, torch.nan) for part in batch.targets["energy"][:2]))
    before = weights(step.model)
    assert step(replace(batch, targets={"energy": missing}), 0.01).fault == "no labels"
    for name, value in step.model.named_parameters():
        assert torch.equal(value, before[name])


def test_missing_labels_never_make_the_gradient_nan(make_step, make_batch, dataset):
    step = make_step(complete=False)
    batch = make_batch(dataset, step.model)
    labels = batch.targets["energy"]
    values, forces = labels.values.clone(), labels.forces.clone()
    values[3] = torch.nan
    forces[5:9] = torch.nan
    result = step(replace(batch, targets={"energy": Target(values, forces)}), 0.01)
    assert result.fault == ""
    assert [int(term.labelled) for term in result.terms] == [15, forces.numel() - 12]
    assert all(torch.isfinite(value.grad).all() for value in step.model.parameters())

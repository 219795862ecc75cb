"""One optimizer step: its order, its guard, its clipping."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from mtt.graph import Target


def weights(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def test_a_step_of_sgd_is_the_gradient_of_the_weighted_sum(make_step, make_batch, dataset):
    step, loss = make_step()
    batch, before = make_batch(dataset, step.model), weights(step.model)
    step(loss, [batch], 0.125)
    for name, value in step.model.named_parameters():
        torch.testing.assert_close(value.detach(), before[name] - 0.125 * value.grad)


@pytest.mark.parametrize("combination", ["sum", "config"])
@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_clipping_limits_the_global_norm_and_reports_the_one_before(
    make_step, make_batch, dataset, factor, combination
):
    free, loss = make_step(combination=combination)
    batch = make_batch(dataset, free.model)
    norm = free(loss, [batch], 0.0).norm.item()
    step, loss = make_step(max_norm=factor * norm, combination=combination)
    before = weights(step.model)
    result = step(loss, [batch], 1.0)
    assert result.norm.item() == pytest.approx(norm, rel=1e-12)
    moved = torch.cat(
        [(value - before[name]).flatten() for name, value in step.model.named_parameters()]
    )
    expected = norm * min(1.0, factor)
    assert torch.linalg.vector_norm(moved).item() == pytest.approx(expected, rel=1e-5)


def test_a_line_search_with_a_learning_rate_of_zero_moves_nothing(make_step, make_batch, dataset):
    search = partial(torch.optim.LBFGS, line_search_fn="strong_wolfe")
    step, loss = make_step(optimizer=search)
    batch, before = make_batch(dataset, step.model), weights(step.model)
    assert step(loss, [batch], 0.0).fault == ""
    for name, value in step.model.named_parameters():
        assert torch.equal(value, before[name])
    assert step(loss, [batch], 1.0).fault == ""
    assert any(not torch.equal(value, before[name]) for name, value in weights(step.model).items())


@pytest.mark.parametrize("poison", ["label", "weight"])
def test_what_is_not_finite_never_reaches_the_weights(make_step, make_batch, dataset, poison):
    step, loss = make_step(optimizer=torch.optim.Adam)
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
    result = step(loss, [batch], 0.1)
    assert result.fault == "not finite"
    expected = (
        "the loss of energy forces" if poison == "label" else "the loss of energy, energy forces"
    )
    assert step.explain(loss, result) == expected
    for name, value in step.model.named_parameters():
        assert torch.equal(value, before[name])
    assert not step.optimizer.state


def test_a_batch_without_labels_moves_nothing_even_with_momentum(make_step, make_batch, dataset):
    step, loss = make_step(complete=False, optimizer=torch.optim.Adam)
    batch = make_batch(dataset, step.model)
    assert step(loss, [batch], 0.01).fault == ""
    missing = Target(*(torch.full_like(part, torch.nan) for part in batch.targets["energy"][:2]))
    before = weights(step.model)
    assert step(loss, [replace(batch, targets={"energy": missing})], 0.01).fault == "no labels"
    for name, value in step.model.named_parameters():
        assert torch.equal(value, before[name])


def test_missing_labels_never_make_the_gradient_nan(make_step, make_batch, dataset):
    step, loss = make_step(complete=False)
    batch = make_batch(dataset, step.model)
    labels = batch.targets["energy"]
    values, forces = labels.values.clone(), labels.forces.clone()
    values[3] = torch.nan
    forces[5:9] = torch.nan
    result = step(loss, [replace(batch, targets={"energy": Target(values, forces)})], 0.01)
    assert result.fault == ""
    (seen,) = result.seen
    assert [int(term.labelled) for term in seen.terms] == [15, forces.numel() - 12]
    assert all(torch.isfinite(value.grad).all() for value in step.model.parameters())


def test_what_a_step_saw_keeps_no_graph_alive(make_step, make_batch, dataset):
    step, loss = make_step()
    (seen,) = step(loss, [make_batch(dataset, step.model)], 0.01).seen
    found = [*seen.predictions["energy"], *(term.total for term in seen.terms)]
    assert not any(tensor.requires_grad for tensor in found if tensor is not None)


def test_l2_is_in_the_gradient_before_its_norm_is_limited(make_step, make_batch, dataset):
    step, loss = make_step(max_norm=1e-3)
    for group in step.optimizer.param_groups:
        group["l2"] = 1e5
    batch, before = make_batch(dataset, step.model), weights(step.model)
    result = step(loss, [batch], 1.0)
    pull = torch.cat([1e5 * value.flatten() for value in before.values()])
    size = torch.linalg.vector_norm(pull).item()
    assert result.norm.item() == pytest.approx(size, rel=0.01)
    moved = torch.cat(
        [(value - before[name]).flatten() for name, value in step.model.named_parameters()]
    )
    assert torch.linalg.vector_norm(moved).item() == pytest.approx(1e-3, rel=1e-5)
    assert torch.cosine_similarity(moved, -pull, dim=0).item() > 0.999

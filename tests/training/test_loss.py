"""Losses against numpy, and labels that are missing."""

import numpy as np
import pytest
import torch

from mtt import Target
from mtt.training.loss import Loss, Term

N_ATOMS = torch.tensor([2, 3, 1])


@pytest.fixture
def numbers():
    random = np.random.default_rng(7)
    return {
        part: (random.normal(size=shape), random.normal(size=shape))
        for part, shape in {"values": (3, 1), "forces": (6, 3), "strain": (3, 3, 3)}.items()
    }


def targets(numbers, labels=True):
    parts = {name: torch.tensor(pair[1 if labels else 0]) for name, pair in numbers.items()}
    return {"energy": Target(**parts)}


def elementwise(kind, difference, delta):
    size = np.abs(difference)
    if kind == "huber":
        return np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))
    return {"mse": difference**2, "mae": size}[kind]


@pytest.mark.parametrize("kind", ["mse", "mae", "huber"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("part", ["values", "forces", "strain"])
@pytest.mark.parametrize("complete", [True, False])
def test_every_loss_is_its_formula(numbers, kind, reduction, part, complete):
    term = Term(
        "energy", part, kind, 2.5, reduction, delta=0.4, scale=0.7,
        per_atom=part != "forces", complete=complete,
    )  # fmt: skip
    loss = Loss([term])
    values = loss(targets(numbers, labels=False), targets(numbers), N_ATOMS)
    (weighted,) = loss.weighted(values)
    difference = np.subtract(*numbers[part]) / 0.7
    if part != "forces":
        sizes = N_ATOMS.numpy().reshape(-1, *[1] * (difference.ndim - 1))
        difference = difference / sizes
    expected = getattr(elementwise(kind, difference, 0.4), reduction)()
    assert weighted.item() == pytest.approx(2.5 * expected, rel=1e-12)


def test_huber_is_smooth_at_its_delta():
    at = torch.tensor([[0.5, np.nextafter(0.5, 1), -0.5]], dtype=torch.float64, requires_grad=True)
    term = Term("x", "values", "huber", delta=0.5, complete=True, reduction="sum")
    (value,) = Loss([term]).weighted(
        Loss([term])({"x": Target(at)}, {"x": Target(torch.zeros_like(at))}, torch.tensor([1]))
    )
    value.backward()
    assert value.item() == pytest.approx(3 * 0.125, rel=1e-12)
    torch.testing.assert_close(at.grad, torch.tensor([[0.5, 0.5, -0.5]], dtype=torch.float64))


@pytest.mark.parametrize("kind", ["mse", "mae", "huber"])
def test_missing_labels_give_neither_loss_nor_gradient(numbers, kind):
    predicted, true = map(torch.tensor, numbers["forces"])
    predicted.requires_grad_(True)
    true[1] = true[4, 2] = torch.nan
    term = Term("energy", "forces", kind, delta=0.3)
    values = torch.zeros(3, 1)
    loss = Loss([term])
    (value,) = loss.weighted(
        loss({"energy": Target(values, predicted)}, {"energy": Target(values, true)}, N_ATOMS)
    )
    value.backward()
    known = ~np.isnan(true.numpy())
    difference = (predicted - true).detach().numpy()[known]
    assert value.item() == pytest.approx(elementwise(kind, difference, 0.3).mean(), rel=1e-12)
    assert torch.isfinite(predicted.grad).all()
    assert (predicted.grad[~torch.from_numpy(known)] == 0).all()
    assert (predicted.grad[torch.from_numpy(known)] != 0).all()


def test_predictions_without_labels_do_not_matter_bit_for_bit(numbers):
    predicted, true = map(torch.tensor, numbers["forces"])
    true[2] = torch.nan
    loss = Loss([Term("energy", "forces")])
    results = []
    for other in (0.0, 1e300, torch.inf, torch.nan):
        changed = predicted.clone()
        changed[2] = other
        changed.requires_grad_(True)
        values = torch.zeros(3, 1)
        (value,) = loss.weighted(
            loss({"energy": Target(values, changed)}, {"energy": Target(values, true)}, N_ATOMS)
        )
        value.backward()
        results.append((value.detach(), changed.grad))
    for value, gradient in results[1:]:
        assert torch.equal(value, results[0][0])
        assert torch.equal(gradient, results[0][1])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_batch_without_any_label_has_zero_loss_and_zero_gradient(reduction):
    predicted = torch.ones(2, 1, dtype=torch.float64, requires_grad=True)
    loss = Loss([Term("energy", "values", reduction=reduction, per_atom=True)])
    labels = {"energy": Target(torch.full((2, 1), torch.nan, dtype=torch.float64))}
    (value,) = loss.weighted(loss({"energy": Target(predicted)}, labels, torch.tensor([1, 2])))
    value.backward()
    assert value.item() == 0.0
    assert predicted.grad.tolist() == [[0.0], [0.0]]


def test_huge_energies_are_subtracted_in_float64():
    true = torch.tensor([[-9391.0]], dtype=torch.float64)
    loss = Loss([Term("energy", "values", complete=True, scale=1e-6)])
    values = loss({"energy": Target(true + 1e-6)}, {"energy": Target(true)}, torch.tensor([1]))
    assert loss.weighted(values)[0].item() == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_pooled_loss_equals_one_batch_for_unequal_batches(numbers, reduction):
    predicted, true = map(torch.tensor, numbers["forces"])
    true[3] = torch.nan
    loss = Loss([Term("energy", "forces", "mae", 3.0, reduction)])
    values = torch.zeros(1, 1)

    def evaluate(rows):
        one, two = Target(values, predicted[rows]), Target(values, true[rows])
        return loss({"energy": one}, {"energy": two}, torch.tensor([1]))

    whole = loss.weighted(evaluate(slice(None)))[0].item()
    sums = torch.zeros(1, 2, dtype=torch.float64)
    for rows in (slice(0, 1), slice(1, 3), slice(3, 4), slice(4, 6)):
        (value,) = evaluate(rows)
        sums += torch.tensor([[value.total, value.labelled]])
    assert loss.pooled(sums) == pytest.approx(whole, rel=1e-12)


def test_terms_of_weight_zero_take_no_part_in_the_sum(numbers):
    loss = Loss([Term("energy", "values", weight=0.0), Term("energy", "forces")])
    values = loss(targets(numbers, labels=False), targets(numbers), N_ATOMS)
    assert len(loss.weighted(values)) == 1

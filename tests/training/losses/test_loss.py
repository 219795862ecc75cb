"""Losses against numpy, and labels that are missing."""

import numpy as np
import pytest
import torch

from mtt import Graph, Target
from mtt.data import Batch
from mtt.discovery import LOSSES
from mtt.training.losses.loss import REDUCTIONS, Loss, Term

N_ATOMS = np.array([2, 3, 1])
OWNER = np.repeat(np.arange(3), N_ATOMS)
SHAPES = {"values": (3, 2), "charges": (6, 1), "forces": (6, 3), "strain": (3, 3, 3)}
# every one that there is: a new one fails until FORMULAS has it; of spectra see test_spectra.py
TYPES = [n for n in LOSSES.names() if n not in LOSSES.facts("only_spectra", False)]
FORCES_ONLY = LOSSES.facts("only_forces", False)


def batch_of(labels, n_atoms=N_ATOMS, weights=None):
    """A batch of structures without positions."""
    n, total = len(n_atoms), int(sum(n_atoms))
    owner = torch.from_numpy(np.repeat(np.arange(n), n_atoms))
    pair, real = torch.zeros(0, dtype=torch.int64), torch.zeros(0, 3)
    graph = Graph(owner, owner, n, pair, pair, real, torch.zeros(total, 3), torch.zeros(n, 3, 3))
    index = torch.arange(n)
    weights = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    volumes = torch.zeros(n, dtype=torch.float64)
    return Batch(graph, {"energy": labels}, torch.tensor(n_atoms), index, volumes, weights)


def target_of(part, numbers):
    """A target with ``numbers`` as one of its parts."""
    if part in ("values", "charges"):
        return Target(numbers)
    return Target(torch.zeros(1, 1, dtype=torch.float64), **{part: numbers})


def term_of(part, kind="mse", reduction="mean", **options):
    field = "values" if part == "charges" else part
    return Term("energy", field, kind, reduction=reduction, of_atoms=part == "charges", **options)


def value_of(term, part, predicted, true, **batch):
    """The weighted, reduced value, 0-d."""
    loss = Loss([term])
    found = loss({"energy": target_of(part, predicted)}, batch_of(target_of(part, true), **batch))
    return loss.weighted(found)[0]


@pytest.fixture
def numbers():
    """Predictions and labels; forces of all sizes that ``huber_forces`` tells apart."""
    random = np.random.default_rng(7)
    found = {part: tuple(random.normal(size=(2, *shape))) for part, shape in SHAPES.items()}
    sizes = np.array([50.0, 100.0, 150.0, 200.0, 250.0, 400.0])[:, None]
    predicted, true = found["forces"]
    true = true / np.linalg.norm(true, axis=1, keepdims=True) * (sizes + 1)
    found["forces"] = (true + predicted, true)
    return found


def huber(d, delta, true):
    return np.where(np.abs(d) <= delta, d**2 / 2, delta * (np.abs(d) - delta / 2))


def huber_forces(d, delta, true):
    norm = np.sqrt(np.nansum(true**2, axis=1))
    index = np.searchsorted([100, 200, 300], norm, side="right")
    return huber(d, delta * np.array([1.0, 0.7, 0.4, 0.1])[index][:, None], true)


FORMULAS = {
    "huber": huber,
    "huber_forces": huber_forces,
    "mae": lambda d, delta, true: np.abs(d),
    "mse": lambda d, delta, true: d**2,
    "shift_agnostic_mse": None,  # of spectra: test_spectra.py
}


def reduced(each, part, reduction, weights):
    """With loops over structures; NaN where there is no label."""
    owner = OWNER if part in ("charges", "forces") else np.arange(3)
    own = [each[owner == i] for i in range(3)]
    labelled = [i for i in range(3) if (~np.isnan(own[i])).any()]
    if reduction == "structure_mean":
        return sum(weights[i] * np.nanmean(own[i]) for i in labelled) / len(labelled)
    total = sum(weights[i] * np.nansum(own[i]) for i in labelled)
    return total / (np.count_nonzero(~np.isnan(each)) if reduction == "mean" else 1)


@pytest.mark.parametrize("weights", [None, [0.5, 3.0, 0.0]])
@pytest.mark.parametrize("missing", ["none", "assumed", "some"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("kind", "part"),
    [(kind, p) for kind in TYPES for p in SHAPES if p == "forces" or not FORCES_ONLY[kind]],
)
def test_every_loss_is_its_formula(numbers, kind, reduction, part, missing, weights):
    predicted, true = numbers[part]
    per_atom = part in ("values", "strain")
    if missing == "some":
        true[1] = np.nan
        true.reshape(len(true), -1)[0, -1] = np.nan
    term = term_of(
        part, kind, reduction, weight=2.5, delta=0.4, scale=0.7,
        per_atom=per_atom, complete=missing == "none",
    )  # fmt: skip
    found = value_of(
        term, part, torch.tensor(predicted), torch.tensor(true), n_atoms=N_ATOMS, weights=weights
    )
    difference = (predicted - true) / 0.7
    if per_atom:
        difference = difference / N_ATOMS.reshape(-1, *[1] * (difference.ndim - 1))
    each = FORMULAS[kind](difference, 0.4, true)
    each[np.isnan(true)] = np.nan
    expected = 2.5 * reduced(each, part, reduction, weights or [1.0, 1.0, 1.0])
    assert found.item() == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("norm", "factor"),
    [
        (99.999, 1.0), (100.0, 0.7), (199.999, 0.7), (200.0, 0.4),
        (299.999, 0.4), (300.0, 0.1), (5000.0, 0.1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("unit", [1.0, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_delta_of_huber_forces_follows_the_reference_force(norm, factor, unit, dtype):
    # 3-4-5 triangle: the norm is exact, so that 100, 200 and 300 are met exactly
    true = torch.tensor([[0.6 * norm, 0.0, 0.8 * norm]], dtype=torch.float64) / unit
    if norm in (100.0, 200.0, 300.0):
        true = torch.tensor([[3.0, 0.0, 4.0]], dtype=torch.float64) * (norm / 5) / unit
    true = true.to(dtype)
    predicted = true + torch.tensor([[8.0, 0.0, 0.0]], dtype=dtype)
    term = term_of("forces", "huber_forces", "sum", delta=0.5, to_ev_per_angstrom=unit)
    found = value_of(term, "forces", predicted, true, n_atoms=np.array([1]))
    difference = float(predicted[0, 0] - true[0, 0])
    delta = 0.5 * factor
    assert found.item() == pytest.approx(delta * (difference - delta / 2), rel=1e-6)


def test_huber_is_smooth_at_its_delta():
    at = torch.tensor([[0.5, np.nextafter(0.5, 1), -0.5]], dtype=torch.float64, requires_grad=True)
    term = term_of("values", "huber", "sum", delta=0.5, complete=True)
    value = value_of(term, "values", at, torch.zeros_like(at), n_atoms=np.array([1]))
    value.backward()
    assert value.item() == pytest.approx(3 * 0.125, rel=1e-12)
    torch.testing.assert_close(at.grad, torch.tensor([[0.5, 0.5, -0.5]], dtype=torch.float64))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("kind", TYPES)
def test_gradients_are_those_of_the_values(numbers, kind, reduction):
    predicted, true = map(torch.tensor, numbers["forces"])
    true[1] = true[4, 2] = torch.nan
    term = term_of("forces", kind, reduction, delta=0.3, scale=0.7)

    def value(predictions):
        return value_of(term, "forces", predictions, true, weights=[0.5, 3.0, 2.0])

    assert torch.autograd.gradcheck(value, predicted.requires_grad_(True))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("kind", TYPES)
def test_missing_labels_give_neither_loss_nor_gradient(numbers, kind, reduction):
    predicted, true = map(torch.tensor, numbers["forces"])
    predicted.requires_grad_(True)
    true[1] = true[4, 2] = torch.nan
    value_of(term_of("forces", kind, reduction, delta=0.3), "forces", predicted, true).backward()
    known = true.isfinite()
    assert torch.isfinite(predicted.grad).all()
    assert (predicted.grad[~known] == 0).all()
    assert (predicted.grad[known] != 0).all()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("kind", TYPES)
def test_predictions_without_labels_do_not_matter_bit_for_bit(numbers, kind, reduction):
    predicted, true = map(torch.tensor, numbers["forces"])
    true[2] = torch.nan
    results = []
    for other in (0.0, 1e300, torch.inf, torch.nan):
        changed = predicted.clone()
        changed[2] = other
        changed.requires_grad_(True)
        value = value_of(term_of("forces", kind, reduction), "forces", changed, true)
        value.backward()
        results.append((value.detach(), changed.grad))
    for value, gradient in results[1:]:
        assert torch.equal(value, results[0][0])
        assert torch.equal(gradient, results[0][1])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("part", list(SHAPES))
def test_a_batch_without_any_label_has_zero_loss_and_zero_gradient(part, reduction):
    predicted = torch.ones(SHAPES[part], dtype=torch.float64, requires_grad=True)
    true = torch.full(SHAPES[part], torch.nan, dtype=torch.float64)
    term = term_of(part, "huber", reduction, per_atom=part == "values")
    value = value_of(term, part, predicted, true)
    value.backward()
    assert value.item() == 0.0
    assert torch.equal(predicted.grad, torch.zeros_like(predicted))


def test_huge_energies_are_subtracted_in_float64():
    true = torch.tensor([[-9391.0]], dtype=torch.float64)
    term = term_of("values", complete=True, scale=1e-6)
    value = value_of(term, "values", true + 1e-6, true, n_atoms=np.array([1]))
    assert value.item() == pytest.approx(1.0, rel=1e-3)


def parts_of(numbers):
    """The three structures as one batch, and as batches of two and one, with forces and values."""
    predicted, true = map(torch.tensor, numbers["forces"])
    true[3], true[5] = torch.nan, torch.nan
    weights = [0.5, 3.0, 2.0]
    charges = [torch.tensor(one) for one in numbers["charges"]]

    def cut(rows, structures):
        labels = Target(charges[1][rows], true[rows])
        batch = batch_of(labels, N_ATOMS[structures], np.array(weights)[structures])
        return {"energy": Target(charges[0][rows], predicted[rows])}, batch

    whole = cut(slice(0, 6), slice(0, 3))
    return whole, [cut(slice(0, 2), slice(0, 1)), cut(slice(2, 6), slice(1, 3))]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("kind", TYPES)
def test_batches_of_unequal_count_equal_the_pooled_value(numbers, kind, reduction):
    loss = Loss([
        term_of("forces", kind, reduction, weight=3.0),
        term_of("charges", "mse", reduction),
    ])  # fmt: skip
    whole, parts = parts_of(numbers)
    expected = sum(loss.weighted(loss(*whole))).item()
    sums = torch.zeros(2, 2, dtype=torch.float64)
    for part in parts:
        sums += torch.tensor([[value.total, value.labelled] for value in loss(*part)])
    assert loss.pooled(sums) == pytest.approx(expected, rel=1e-12)
    # what accumulation does: every batch divided by the counts of all of them
    counts = [sum(found) for found in zip(*(loss.counts(batch) for _, batch in parts), strict=True)]
    added = sum(sum(loss.weighted(loss(*part), counts)) for part in parts)
    assert added.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_counts_need_no_prediction(numbers, reduction, complete):
    loss = Loss([
        term_of("forces", reduction=reduction, complete=complete),
        term_of("charges", reduction=reduction, complete=complete),
    ])  # fmt: skip
    whole, _ = parts_of(numbers)
    assert [float(value.labelled) for value in loss(*whole)] == list(
        map(float, loss.counts(whole[1]))
    )


def test_a_mixed_data_set_is_the_sum_of_two_separate_runs(numbers):
    random = np.random.default_rng(3)
    weight = torch.tensor(random.normal(size=4), requires_grad=True)
    features = torch.tensor(random.normal(size=(6, 4)))
    energies, forces = torch.tensor(random.normal(size=(3, 1))), torch.tensor(numbers["forces"][1])
    loss = Loss([term_of("values", per_atom=True), term_of("forces", "huber", weight=5.0)])

    def gradient(energy_of, forces_of):
        """Structures ``energy_of`` have an energy alone, ``forces_of`` forces alone."""
        labels = Target(energies.clone(), forces.clone())
        for i in set(range(3)) - set(energy_of):
            labels.values[i] = torch.nan
        for i in set(range(3)) - set(forces_of):
            labels.forces[torch.from_numpy(i == OWNER)] = torch.nan
        atoms = features @ weight
        predicted = Target(
            torch.zeros(3, dtype=torch.float64).index_add(0, torch.from_numpy(OWNER), atoms)[
                :, None
            ],
            atoms[:, None] ** 2 + features[:, :3],
        )
        total = sum(loss.weighted(loss({"energy": predicted}, batch_of(labels))))
        return torch.autograd.grad(total, weight)[0]

    both = gradient([0, 2], [1])
    separate = gradient([0, 2], []) + gradient([], [1])
    torch.testing.assert_close(both, separate, rtol=1e-12, atol=0)


def test_terms_of_weight_zero_take_no_part_in_the_sum(numbers):
    loss = Loss([term_of("charges", weight=0.0), term_of("forces")])
    whole, _ = parts_of(numbers)
    assert loss.active == [1]
    assert len(loss.weighted(loss(*whole))) == 1

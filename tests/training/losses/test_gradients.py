"""What the optimizer sees: accumulated over batches, combined over loss terms."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from mtt.checkpoint import read
from mtt.data import Dataset
from mtt.graph import Target
from mtt.ranks import SerialRanks
from mtt.training.losses.gradients import ConflictFreeGradient, SummedGradient

COMBINATIONS = ["sum", "config"]


@pytest.fixture
def gappy(frames, dataset, make_model):
    """Energies are missing of some structures, forces of others, both of one."""
    changed = list(frames[:16])
    for i in range(16):
        labels = changed[i].labels["energy"]
        if i in (1, 2, 3, 8):
            labels = labels._replace(values=labels.values * np.nan)
        if i in (3, 4, 11):
            labels = labels._replace(forces=labels.forces * np.nan)
        changed[i] = changed[i]._replace(labels={"energy": labels})
    return Dataset.from_frames(changed, make_model().dataset_info)


def loss_with(reduction="mean", energy=1.0, forces=1.0):
    """Options of a loss."""
    term = {"type": "mse", "reduction": reduction}
    gradients = {"positions": {**term, "weight": forces}}
    return {"energy": {**term, "weight": energy, "gradients": gradients}}


def gradient(model):
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("combination", COMBINATIONS)
@pytest.mark.parametrize("reduction", ["mean", "structure_mean", "sum"])
@pytest.mark.parametrize("parts", [[8, 8], [4, 4, 4, 4], [1, 3, 10, 2]])
def test_accumulated_batches_learn_what_one_batch_of_them_all_does(
    make_step, make_batch, gappy, combination, reduction, parts
):
    """Equal and unequal sizes, labels missing in each: the mean over all labels."""
    options = {
        "complete": False,
        "combination": combination,
        "max_norm": 0.5,
        "loss": loss_with(reduction, 0.7, 3.0),
    }
    one, loss = make_step(**options)
    whole = one(loss, [make_batch(gappy, one.model)], 0.1)
    many, loss = make_step(**options)
    ends = np.cumsum([0, *parts])
    batches = [
        make_batch(gappy.select(np.arange(start, end)), many.model) for start, end in pairwise(ends)
    ]
    result = many(loss, batches, 0.1)
    assert (result.fault, len(result.seen)) == ("", len(parts))
    size = result.norm.item()
    assert size == pytest.approx(whole.norm.item(), rel=1e-12)
    torch.testing.assert_close(gradient(many.model), gradient(one.model), rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(weights(many.model), weights(one.model), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("combination", COMBINATIONS)
@pytest.mark.parametrize(("small", "per_step", "large"), [(3, 2, 6), (3, 4, 12), (2, 2, 4)])
def test_accumulation_in_a_training_is_the_larger_batch(
    make_model, make_trainer, train, tmp_path, combination, small, per_step, large
):
    """With 16 structures the last group of an epoch is smaller: 3+1, and 4 of 12."""
    found = []
    for size, k in ((small, per_step), (large, 1)):
        folder = tmp_path / f"{size}"
        trainer = make_trainer(
            num_epochs=3,
            batch_size=size,
            gradient_accumulation=k,
            gradient_combination=combination,
        )
        model = train(trainer, make_model(), checkpoints=folder)
        found.append((model, read(folder / "last.ckpt")["trainer_state"]))
    (many, accumulated), (one, straight) = found
    torch.testing.assert_close(weights(many), weights(one), rtol=1e-9, atol=1e-11)
    assert accumulated["step"] == straight["step"] == 3 * -(-16 // large)
    for a, b in zip(
        *(json.loads(each["history"]) for each in (accumulated, straight)), strict=True
    ):
        assert a["learning rate"] == b["learning rate"]
        assert a["training loss"] == pytest.approx(b["training loss"], rel=1e-9)
        assert a["validation loss"] == pytest.approx(b["validation loss"], rel=1e-9)
        assert a["gradient norm"] == pytest.approx(b["gradient norm"], rel=1e-9)


def term_gradients(model, batch):
    """Energy's and forces' gradient, unweighted, of the formula written out."""
    predicted = model.predict_targets(batch.graph, create_graph=True)["energy"]
    true, scale = batch.targets["energy"], model.scales["energy"]
    energy = ((predicted.values - true.values)[:, 0] / batch.n_atoms / scale).square().mean()
    forces = ((predicted.forces - true.forces) / scale).square().mean()
    parameters = list(model.parameters())
    rows = []
    for term in (energy, forces):
        found = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
        flat = [
            torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)
        ]
        rows.append(torch.cat([g.flatten() for g in flat]).numpy())
    return rows


def config_direction(rows, of_terms):
    """The paper's formula, with numpy's pseudo-inverse."""
    units = np.array([row / np.linalg.norm(row) for row in rows])
    x = np.linalg.pinv(units) @ (np.array(of_terms) / np.linalg.norm(of_terms))
    unit = x / np.linalg.norm(x)
    return sum(row @ unit for row in rows) * unit


@pytest.mark.parametrize("of_terms", [(1.0, 1.0), (0.3, 2.0), (100.0, 1.0)])
def test_the_conflict_free_step_follows_independent_numpy(make_step, make_batch, dataset, of_terms):
    step, loss = make_step(combination="config", loss=loss_with("mean", *of_terms))
    batch = make_batch(dataset, step.model)
    expected = config_direction(term_gradients(step.model, batch), of_terms)
    before = weights(step.model)
    result = step(loss, [batch], 0.125)
    np.testing.assert_allclose(gradient(step.model).numpy(), expected, rtol=1e-8, atol=1e-12)
    assert result.norm.item() == pytest.approx(np.linalg.norm(expected), rel=1e-9)
    torch.testing.assert_close(weights(step.model), before - 0.125 * torch.from_numpy(expected))


def test_the_conflict_free_step_decreases_each_term_at_the_rate_of_its_weight(
    make_step, make_batch, dataset
):
    step, loss = make_step(combination="config", loss=loss_with("mean", 0.5, 2.0))
    batch = make_batch(dataset, step.model)
    rows = term_gradients(step.model, batch)
    step(loss, [batch], 0.0)
    direction = gradient(step.model).numpy()
    energy, forces = (row @ direction / np.linalg.norm(row) for row in rows)
    assert energy > 0 and forces / energy == pytest.approx(4.0, rel=1e-8)


def test_clipping_keeps_the_conflict_free_direction(make_step, make_batch, dataset):
    free, loss = make_step(combination="config")
    batch = make_batch(dataset, free.model)
    free(loss, [batch], 0.0)
    full = gradient(free.model)
    limit = 0.25 * torch.linalg.vector_norm(full).item()
    clipped, loss = make_step(combination="config", max_norm=limit)
    clipped(loss, [batch], 0.0)
    torch.testing.assert_close(gradient(clipped.model), 0.25 * full, rtol=1e-5, atol=0)


@pytest.mark.parametrize("absent", ["values", "forces"])
def test_a_term_without_labels_leaves_the_direction_to_the_others(
    make_step, make_batch, dataset, absent
):
    step, loss = make_step(combination="config", complete=False, loss=loss_with("mean", 3.0, 5.0))
    batch = make_batch(dataset, step.model)
    energy, forces = term_gradients(step.model, batch)
    labels = batch.targets["energy"]
    missing = labels._replace(**{absent: torch.full_like(getattr(labels, absent), torch.nan)})
    assert isinstance(missing, Target)
    assert step(loss, [replace(batch, targets={"energy": missing})], 0.1).fault == ""
    expected = forces if absent == "values" else energy
    np.testing.assert_allclose(gradient(step.model).numpy(), expected, rtol=1e-9, atol=1e-13)


def test_a_term_of_weight_zero_has_no_say_in_the_direction(make_step, make_batch, dataset):
    step, loss = make_step(combination="config", loss=loss_with("mean", 0.0, 5.0))
    batch = make_batch(dataset, step.model)
    _, forces = term_gradients(step.model, batch)
    step(loss, [batch], 0.1)
    np.testing.assert_allclose(gradient(step.model).numpy(), forces, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("kind", [SummedGradient, ConflictFreeGradient])
def test_parameters_that_no_term_knows_keep_no_gradient(kind):
    used, other, none = (torch.nn.Parameter(torch.tensor([v, v])) for v in (1.0, 2.0, 3.0))
    made = kind([used, none, other])
    terms = [(used * used).sum(), (used * other).sum()]
    made.add(terms, [1.0, 1.0], lambda value: value)
    made.finish([1.0, 1.0], SerialRanks())
    assert none.grad is None
    assert used.grad is not None and other.grad is not None
    assert used.grad.shape == (2,)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_a_parameter_outside_the_loss_never_moves(make_model, make_trainer, train, combination):
    """Not by momentum, not by weight decay: it has no gradient."""
    model = make_model()
    model.spare = torch.nn.Parameter(torch.full((4, 3), 2.0))
    train(make_trainer(gradient_combination=combination, weight_decay=0.1, num_epochs=2), model)
    assert model.spare.grad is None
    assert torch.equal(model.spare, torch.full((4, 3), 2.0, dtype=torch.float64))


def test_an_energy_bias_is_known_to_the_energy_alone(make_step, make_batch, dataset):
    """Forces do not depend on a constant: its gradient there is none, which counts as zero."""
    step, loss = make_step(combination="config")
    step.model.shift = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    inner = step.model.atomic_energies
    step.model.atomic_energies = lambda graph: inner(graph) + step.model.shift
    step.gradient = ConflictFreeGradient(list(step.model.parameters()))
    batch = make_batch(dataset, step.model)
    expected = config_direction(term_gradients(step.model, batch), (1.0, 1.0))
    step(loss, [batch], 0.0)
    np.testing.assert_allclose(gradient(step.model).numpy(), expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("kind", [SummedGradient, ConflictFreeGradient])
def test_a_factor_of_the_loss_is_a_factor_of_the_gradient(kind):
    """What the loss scale of float16 relies on."""
    found = []
    for factor in (1.0, 1024.0):
        p = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
        made = kind([p])
        terms = [2.0 * (p * p).sum(), 3.0 * (p - 1).pow(4).sum()]
        made.add(terms, [2.0, 3.0], lambda value, factor=factor: factor * value)
        made.finish([1.0, 1.0], SerialRanks())
        found.append(p.grad)
    torch.testing.assert_close(found[1], 1024.0 * found[0], rtol=1e-13, atol=0)

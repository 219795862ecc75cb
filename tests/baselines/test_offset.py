"""One number per element, fitted to a residual."""

from __future__ import annotations

import pytest
import torch

from mtt.baselines.offset import fit_offset

H_C_O = torch.tensor([[4.0, 1, 0], [2, 2, 0], [4, 1, 1], [6, 2, 1], [2, 0, 1], [6, 2, 0]]).double()
TRUTH = torch.tensor([[1.5], [-400.0], [30.0]]).double()


def residuals(counts, noise=0.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    random = torch.randn(len(counts), 1, generator=generator, dtype=torch.float64)
    return counts @ TRUTH + noise * random * counts.sum(1, keepdim=True)


def many(n=60, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 9, (n, 3), generator=generator).double()


def fitted(counts, residual, free=(0, 1, 2), **more):
    return fit_offset(counts, residual, counts.sum(1), free, **more)


def test_numbers_that_made_the_residual_are_found():
    found = fitted(H_C_O, residuals(H_C_O))
    torch.testing.assert_close(found.weights, TRUTH, rtol=1e-11, atol=1e-11)
    assert (found.rank, found.free, found.freedom) == (3, 3, 3)
    assert found.spread < 1e-10


def test_what_is_left_is_per_atom_and_counts_the_freedom_that_is_left():
    counts = many()
    found = fitted(counts, residuals(counts, noise=0.02))
    assert found.spread == pytest.approx(0.02, rel=0.2)
    left = (residuals(counts, noise=0.02) - counts @ found.weights) / counts.sum(1, keepdim=True)
    torch.testing.assert_close(found.left, left)
    assert found.spread == pytest.approx(float(left.square().sum() / (60 - 3)) ** 0.5)


def test_of_one_composition_the_smallest_numbers_are_taken():
    counts = torch.tensor([[6.0, 2, 1]]).double().repeat(5, 1)
    found = fitted(counts, torch.full((5, 1), 82.0).double())
    wanted = 82.0 * counts[0] / counts[0].square().sum()
    torch.testing.assert_close(found.weights[:, 0], wanted)
    assert (found.rank, found.free, found.freedom) == (1, 3, 4)


def test_types_that_are_not_free_or_do_not_occur_stay_zero():
    counts = H_C_O[[0, 1, 5]]
    found = fitted(counts, residuals(counts), free=(1, 2))
    assert found.weights[0].item() == found.weights[2].item() == 0.0
    assert found.free == 1
    assert fitted(counts, residuals(counts), free=()).weights.count_nonzero() == 0


def test_a_few_samples_far_from_all_others_do_not_move_the_numbers():
    counts = many()
    clean, spoilt = residuals(counts, noise=0.01), residuals(counts, noise=0.01)
    spoilt[[3, 40]] += 1e4
    found = fitted(counts, spoilt)
    assert (~found.kept).nonzero()[:, 0].tolist() == [3, 40]
    torch.testing.assert_close(found.weights, fitted(counts, clean).weights, rtol=0, atol=0.05)
    assert fitted(counts, spoilt, robust=False).kept.all()


def test_many_that_are_far_are_not_outliers():
    counts = many()
    spoilt = residuals(counts, noise=0.01)
    spoilt[:15] += 1e4
    assert fitted(counts, spoilt).kept.all()


def test_the_only_samples_of_an_element_are_never_left_out():
    counts = many()
    counts[:, 2] = 0.0
    counts[7, 2] = 1.0
    residual = residuals(counts, noise=0.01)
    residual[8] += 1e4
    found = fitted(counts, residual)
    assert found.kept[7]
    assert found.weights[2].item() != 0.0


def test_missing_labels_are_left_out():
    residual = residuals(H_C_O)
    residual[2] = float("nan")
    found = fitted(H_C_O, residual)
    torch.testing.assert_close(found.weights, TRUTH, rtol=1e-11, atol=1e-11)
    assert bool(found.left[2].isnan()) and not found.kept[2]
    nothing = fitted(H_C_O, torch.full_like(residual, float("nan")))
    assert not nothing.kept.any() and nothing.weights.count_nonzero() == 0

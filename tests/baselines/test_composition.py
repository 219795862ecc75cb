"""Composition energies by least squares."""

import logging

import numpy as np
import torch

from mtt.baselines.composition import fit_composition
from mtt.baselines.exact import ExactTable


def test_energies_that_are_sums_over_atoms_are_found_exactly():
    counts = torch.tensor([[6, 2, 1], [4, 1, 1], [2, 0, 1], [8, 3, 0]], dtype=torch.float64)
    true = torch.tensor([[-13.6], [-1029.5], [-2041.0]], dtype=torch.float64)
    weights = fit_composition(counts, counts @ true, [1, 6, 8])
    torch.testing.assert_close(weights, true, rtol=1e-12, atol=0)


def test_the_solution_is_the_one_of_numpy_for_noisy_values():
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 9, (30, 3)).astype(float)
    values = counts @ [[-1.0, 2.0], [3.0, -4.0], [0.5, 0.0]] + rng.normal(size=(30, 2))
    weights = fit_composition(torch.from_numpy(counts), torch.from_numpy(values), [1, 6, 8])
    expected = np.linalg.lstsq(counts, values, rcond=None)[0]
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-10)


def test_one_composition_alone_gives_the_smallest_solution_and_says_so(caplog):
    counts = torch.tensor([[6.0, 2.0, 1.0]] * 4, dtype=torch.float64)
    values = torch.full((4, 1), -4209.0, dtype=torch.float64)
    with caplog.at_level(logging.WARNING):
        weights = fit_composition(counts, values, [1, 6, 8])
    torch.testing.assert_close(counts @ weights, values, rtol=1e-12, atol=0)
    torch.testing.assert_close(weights / weights[2], counts[0][:, None], rtol=1e-10, atol=0)
    assert "H, C, O" in caplog.text
    assert "1 of 3 combinations is known" in caplog.text
    assert "add structures of other compositions, or give atomic_baseline: {energy: {H: ...}}" in (
        caplog.text
    )


def test_a_full_rank_fit_says_nothing(caplog):
    fit_composition(torch.eye(2, dtype=torch.float64), torch.ones(2, 1).double(), [1, 8])
    assert not caplog.text


def test_missing_values_are_left_out_and_absent_elements_get_zero():
    counts = torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]], dtype=torch.float64)
    values = torch.tensor([[-2.0], [float("nan")], [-6.0]], dtype=torch.float64)
    weights = fit_composition(counts, values, [1, 2])
    torch.testing.assert_close(weights, torch.tensor([[-2.0], [0.0]], dtype=torch.float64))


def test_no_value_at_all_gives_zero():
    weights = fit_composition(torch.ones(2, 1).double(), torch.full((2, 1), torch.nan), [1])
    assert weights.tolist() == [[0.0]]


def test_a_table_stays_exact_when_the_network_becomes_float32():
    value = -9391.45554428476
    module = torch.nn.Sequential(torch.nn.Linear(1, 1), ExactTable(torch.tensor([[value]])))
    module[1].values[:] = value
    for dtype in (torch.float32, torch.float16, torch.float64):
        module.to(dtype)
        assert module[0].weight.dtype == dtype
        assert module[1].values.item() == value
    module.float()
    module.load_state_dict(module.state_dict())
    assert module[1](torch.tensor([0])).item() == value


def test_points_of_a_spectrum_are_fitted_to_the_samples_that_have_them(caplog):
    rng = np.random.default_rng(1)
    counts = torch.from_numpy(rng.integers(0, 5, (30, 3)).astype(float))
    true = torch.from_numpy(rng.normal(size=(3, 40)))
    values = counts @ true
    for i in range(30):
        values[i, 10 + i :] = torch.nan  # masked from another point on in each sample
    with caplog.at_level(logging.WARNING):
        weights = fit_composition(counts, values, [1, 6, 8])
    torch.testing.assert_close(weights[:, :36], true[:, :36], rtol=1e-10, atol=1e-10)
    assert not weights[:, 39].any()
    assert not caplog.text

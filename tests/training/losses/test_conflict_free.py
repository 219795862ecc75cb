"""Conflict-free gradients against closed forms and numpy's least squares."""

import math

import numpy as np
import pytest
import torch

from mtt.training.losses.conflict_free import _factors, _factors_of_two, conflict_free


def random_gradients(m, seed=0, p=400, dtype=torch.float64):
    """Independent gradients of very different lengths."""
    generator = torch.Generator().manual_seed(seed)
    lengths = 10.0 ** torch.linspace(-3, 3, m, dtype=torch.float64)
    rows = torch.randn(m, p, generator=generator, dtype=torch.float64) * lengths[:, None]
    return rows.to(dtype)


def weights_of(m):
    return torch.linspace(0.5, 2.0, m, dtype=torch.float64)


def by_definition(gradients, weights):
    """The formula of the paper with the m × P least-squares problem, by numpy."""
    g, b = gradients.double().numpy(), weights.double().numpy()
    norms = np.linalg.norm(g, axis=1)
    g, b, norms = g[norms > 0], b[norms > 0], norms[norms > 0]
    x = np.linalg.lstsq(g / norms[:, None], b / np.linalg.norm(b), rcond=1e-6)[0]
    unit = x / np.linalg.norm(x)
    return (g @ unit).sum() * unit


def cosines(result, gradients):
    norms = torch.linalg.vector_norm(gradients, dim=1) * torch.linalg.vector_norm(result)
    return gradients @ result / norms


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_agrees_with_least_squares_over_all_parameters(m):
    gradients, weights = random_gradients(m), weights_of(m)
    expected = torch.from_numpy(by_definition(gradients, weights))
    torch.testing.assert_close(conflict_free(gradients, weights), expected, rtol=1e-11, atol=1e-11)


def test_agrees_with_the_inverse_of_the_matrix_of_cosines():
    gradients, weights = random_gradients(3), weights_of(3)
    units = gradients / gradients.norm(dim=1, keepdim=True)
    x = units.T @ torch.linalg.inv(units @ units.T) @ (weights / weights.norm())
    unit = x / x.norm()
    expected = (gradients @ unit).sum() * unit
    torch.testing.assert_close(conflict_free(gradients, weights), expected, rtol=1e-11, atol=1e-11)


def test_two_orthogonal_gradients_by_hand():
    gradients = torch.tensor([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    # direction (1, 2) / √5, length (3 · 1 + 4 · 2) / √5
    expected = torch.tensor([11 / 5, 22 / 5, 0.0])
    torch.testing.assert_close(conflict_free(gradients, torch.tensor([1.0, 2.0])), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cosines_have_the_ratio_of_the_weights_and_every_term_decreases(dtype):
    tolerance = 1e-5 if dtype == torch.float32 else 1e-11
    for seed in range(5):
        gradients, weights = random_gradients(4, seed, dtype=dtype), weights_of(4)
        # opposed: without the method, the longest gradient would decide
        gradients[1] -= 0.9 * gradients[3] / gradients[3].norm() * gradients[1].norm()
        result = conflict_free(gradients, weights)
        assert result.dtype == dtype
        found = cosines(result, gradients).double()
        assert (found > 0).all()
        torch.testing.assert_close(
            found / found[0], weights / weights[0], rtol=tolerance, atol=tolerance
        )


def test_the_length_is_the_sum_of_the_projections():
    gradients = random_gradients(3)
    result = conflict_free(gradients, weights_of(3))
    unit = result / result.norm()
    assert result.norm().item() == pytest.approx((gradients @ unit).sum().item(), rel=1e-12)


def test_a_single_gradient_is_itself_bit_for_bit():
    gradients = random_gradients(1, dtype=torch.float32)
    assert torch.equal(conflict_free(gradients, torch.tensor([25.0])), gradients[0])


@pytest.mark.parametrize("row", [0, 1, 2])
def test_a_zero_gradient_does_not_count_at_any_position(row):
    gradients, weights = random_gradients(3), weights_of(3)
    gradients[row] = 0
    others = [i for i in range(3) if i != row]
    expected = conflict_free(gradients[others], weights[others])
    torch.testing.assert_close(conflict_free(gradients, weights), expected, rtol=1e-12, atol=0)


def test_without_any_gradient_there_is_not_a_step():
    result = conflict_free(torch.zeros(3, 5), torch.ones(3))
    assert torch.equal(result, torch.zeros(5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_parallel_gradients_are_summed(dtype):
    one = random_gradients(1, dtype=dtype)[0]
    gradients = torch.stack([one, 3 * one, 0.01 * one])
    result = conflict_free(gradients, torch.tensor([1.0, 7.0, 2.0]))
    torch.testing.assert_close(result, 4.01 * one)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_antiparallel_gradients_of_equal_weight_have_no_common_direction(dtype):
    one = random_gradients(1, dtype=dtype)[0]
    result = conflict_free(torch.stack([one, -5 * one]), torch.ones(2))
    assert torch.equal(result, torch.zeros_like(one))


def test_antiparallel_gradients_of_unequal_weight_leave_their_sum():
    one = random_gradients(1)[0]
    gradients, weights = torch.stack([one, -5 * one]), torch.tensor([2.0, 1.0])
    result = conflict_free(gradients, weights)
    torch.testing.assert_close(result, -4 * one, rtol=1e-12, atol=0)
    expected = torch.from_numpy(by_definition(gradients, weights))
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-12)


def test_antiparallel_gradients_beside_a_third_agree_with_least_squares():
    gradients, weights = random_gradients(3), weights_of(3)
    gradients[1] = -2 * gradients[0]
    expected = torch.from_numpy(by_definition(gradients, weights))
    torch.testing.assert_close(conflict_free(gradients, weights), expected, rtol=1e-9, atol=1e-9)


def test_nearly_antiparallel_gradients_give_a_direction_that_decreases_both():
    one, other = torch.eye(40, dtype=torch.float64)[:2]
    gradients = torch.stack([one, 1e-3 * other - one])
    found = cosines(conflict_free(gradients, torch.ones(2)), gradients)
    assert (found > 0).all()
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize("factor", [2.0**16, 2.0**-20])
def test_a_common_factor_of_all_gradients_is_one_of_the_result(factor):
    gradients, weights = random_gradients(3, dtype=torch.float32), weights_of(3)
    result = conflict_free(factor * gradients, weights)
    assert torch.equal(result, factor * conflict_free(gradients, weights))


def test_a_common_factor_of_the_weights_changes_nothing():
    gradients, weights = random_gradients(3), weights_of(3)
    one, two = conflict_free(gradients, weights), conflict_free(gradients, 8 * weights)
    torch.testing.assert_close(one, two, rtol=1e-12, atol=0)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_lengths_whose_squares_float32_cannot_hold(size):
    gradients = random_gradients(2, dtype=torch.float32)
    result = conflict_free(gradients * size, weights_of(2)).double()
    expected = conflict_free(gradients, weights_of(2)).double() * size
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_gives_nan_and_no_error(value):
    gradients = random_gradients(2)
    gradients[1, 3] = value
    assert torch.isnan(conflict_free(gradients, weights_of(2))).all()


def test_more_parameters_than_are_taken_at_a_time():
    gradients, weights = random_gradients(2, p=(1 << 17) + 5), weights_of(2)
    expected = torch.from_numpy(by_definition(gradients, weights))
    torch.testing.assert_close(conflict_free(gradients, weights), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    "rows",
    [
        [[1.0, 2.0, 0.0]],
        [[0.0, 0.0, 0.0]],
        [[1e3, 0.0, 1.0], [0.02, -0.01, 0.0]],
        [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]],
        [[1.0, 2.0, 3.0], [-2.0, -4.0, -6.0]],
        [[1.0, 0.0, 0.0], [-1.0, 1e-3, 0.0]],
        [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]],
        [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]],
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
        [[1.0, math.nan, 0.0], [1.0, 1.0, 0.0]],
        [[1.0, 0.0, 0.0], [1.0, math.inf, 0.0]],
    ],
)
@pytest.mark.parametrize("weights", [[1.0, 1.0], [2.0, 0.3]])
def test_the_closed_form_of_devices_is_what_the_host_finds(rows, weights):
    gradients = torch.tensor(rows, dtype=torch.float64)
    products, weights = gradients @ gradients.T, weights[: len(rows)]
    expected = _factors(products, torch.tensor(weights, dtype=torch.float64))
    found = _factors_of_two(products, weights)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-15, equal_nan=True)


def test_two_terms_on_a_device_wait_for_nothing():
    """On the device ``meta`` whatever reads a number back fails."""
    gradients = torch.ones(2, 7, device="meta")
    assert conflict_free(gradients, torch.ones(2)).shape == (7,)
    with pytest.raises((RuntimeError, NotImplementedError)):
        conflict_free(torch.ones(3, 7, device="meta"), torch.ones(3))

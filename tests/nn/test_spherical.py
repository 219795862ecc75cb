"""Spherical harmonics against scipy, and their derivatives."""

import math

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y

from mtt.nn import SphericalHarmonics


def unit_vectors(n: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    poles = torch.tensor([[0, 0, 1], [0, 0, -1], [1, 0, 0], [0, -1, 0]], dtype=torch.float64)
    return torch.cat([vectors / vectors.norm(dim=1, keepdim=True), poles])


def scipy_harmonics(l_max: int, vectors: torch.Tensor) -> np.ndarray:
    """Real harmonics without phase, from scipy's complex ones."""
    x, y, z = vectors.numpy().T
    theta, phi = np.arccos(z), np.arctan2(y, x)
    columns = []
    for l in range(l_max + 1):
        for m in range(-l, l + 1):
            complex_one = (-1) ** m * sph_harm_y(l, abs(m), theta, phi)
            if m == 0:
                columns.append(complex_one.real)
            else:
                part = complex_one.imag if m < 0 else complex_one.real
                columns.append(math.sqrt(2) * part)
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("l_max", [0, 1, 6, 12])
def test_values_are_those_of_scipy(l_max):
    vectors = unit_vectors(40)
    ours = SphericalHarmonics(l_max).double()(vectors)
    np.testing.assert_allclose(ours, scipy_harmonics(l_max, vectors), rtol=0, atol=1e-13)


def test_degree_one_is_y_z_x():
    vectors = unit_vectors(3)
    ours = SphericalHarmonics(1).double()(vectors)[:, 1:]
    expected = math.sqrt(3 / (4 * math.pi)) * vectors[:, [1, 2, 0]]
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-15)


def test_squares_of_one_degree_sum_to_a_constant():
    ours = SphericalHarmonics(6).double()(unit_vectors(20))
    for l in range(7):
        sums = ours[:, l**2 : (l + 1) ** 2].square().sum(1)
        torch.testing.assert_close(sums, torch.full_like(sums, (2 * l + 1) / (4 * math.pi)))


def test_float32_is_good_to_single_precision():
    vectors = unit_vectors(40)
    single = SphericalHarmonics(6)(vectors.float()).double()
    np.testing.assert_allclose(single, scipy_harmonics(6, vectors), rtol=0, atol=2e-6)


def test_first_and_second_derivatives_are_right_also_at_the_poles():
    module = SphericalHarmonics(4).double()
    vectors = unit_vectors(2).requires_grad_(True)

    def of_direction(v):
        return module(v / v.norm(dim=1, keepdim=True))

    assert torch.autograd.gradcheck(of_direction, vectors)
    assert torch.autograd.gradgradcheck(of_direction, vectors)


def test_tangent_and_pullback_are_the_derivative_of_the_solid_harmonics():
    module = SphericalHarmonics(5).double()
    vectors = unit_vectors(6) * 1.7
    direction = torch.randn(vectors.shape, generator=torch.Generator().manual_seed(1)).double()
    values, tangent = torch.autograd.functional.jvp(module, vectors, direction)
    torch.testing.assert_close(module.tangent(values, direction), tangent)
    cotangent = torch.randn(values.shape, generator=torch.Generator().manual_seed(2)).double()
    _, pulled = torch.autograd.functional.vjp(module, vectors, cotangent)
    torch.testing.assert_close(module.pullback(values, cotangent), pulled)


@pytest.mark.parametrize("l_max", [0, 1, 5])
def test_gradients_are_those_of_the_solid_harmonics(l_max):
    module = SphericalHarmonics(l_max).double()
    vectors = unit_vectors(6) * 1.7

    def summed(v):
        return module(v).sum(0)  # each row has a vector of its own

    expected = torch.autograd.functional.jacobian(summed, vectors).permute(1, 2, 0)
    values = module(vectors)
    torch.testing.assert_close(module.gradients(values), expected)
    torch.testing.assert_close(module.gradients(3 * values), 3 * expected)
    assert module.gradients(values[:0]).shape == (0, 3, (l_max + 1) ** 2)


@pytest.mark.parametrize("l_max", [0, 2])
def test_no_vectors_have_derivatives_of_the_right_shape(l_max):
    module = SphericalHarmonics(l_max).double()
    nothing = torch.zeros(0, 3, dtype=torch.float64)
    values = module(nothing)
    assert module.tangent(values, nothing).shape == values.shape
    assert module.pullback(values, values).shape == (0, 3)


def test_precision_comes_back_after_a_stay_in_float32():
    module = SphericalHarmonics(6).float().double()
    vectors = unit_vectors(5)
    expected = SphericalHarmonics(6).double()(vectors)
    assert torch.equal(module(vectors), expected)


def test_nothing_of_it_is_stored_in_checkpoints():
    assert SphericalHarmonics(6).state_dict() == {}


def test_torchscript_gives_the_same():
    module = SphericalHarmonics(6).double()
    vectors = unit_vectors(5)
    assert torch.equal(torch.jit.script(module)(vectors), module(vectors))

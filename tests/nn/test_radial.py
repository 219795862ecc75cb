"""The radial basis against scipy's spherical Bessel functions."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import spherical_jn

from mtt.errors import ArchitectureError
from mtt.nn import LaplacianEigenstates


def scipy_zeros(l: int, limit: float) -> list[float]:
    grid = np.linspace(1e-3, limit + 1e-6, 4000)
    values = spherical_jn(l, grid)
    return [
        brentq(lambda x: spherical_jn(l, x), grid[i], grid[i + 1], xtol=1e-14)
        for i in range(len(grid) - 1)
        if values[i] * values[i + 1] < 0 and grid[i] > 0.5
    ]


def test_defaults_of_soap_have_the_published_number_of_functions():
    # every l keeps the eigenvalues up to that of l = 0, n = 7, which is (8 π)²
    assert LaplacianEigenstates(5.0, 7, 6).n_per_l == [8, 7, 7, 6, 6, 5, 5]


@pytest.mark.parametrize(
    ("cutoff", "max_radial", "max_angular"), [(5.0, 7, 6), (3.2, 3, 2), (6, 15, 8)]
)
def test_values_are_normalised_spherical_bessel_functions(cutoff, max_radial, max_angular):
    basis = LaplacianEigenstates(cutoff, max_radial, max_angular).double()
    r = np.linspace(1e-3, cutoff, 97)
    columns = []
    for l in range(max_angular + 1):
        for zero in scipy_zeros(l, (max_radial + 1) * math.pi):
            norm = math.sqrt(2 / cutoff**3) / abs(spherical_jn(l + 1, zero))
            columns.append(norm * spherical_jn(l, zero * r / cutoff))
    ours = basis(torch.from_numpy(r))
    assert ours.shape[1] == len(columns) == sum(basis.n_per_l)
    np.testing.assert_allclose(ours, np.stack(columns, axis=1), rtol=0, atol=3e-13)


def test_functions_of_one_degree_are_orthonormal():
    basis = LaplacianEigenstates(5.0, 5, 3).double()
    nodes, weights = np.polynomial.legendre.leggauss(120)
    r = torch.from_numpy((nodes + 1) * 2.5)
    values = basis(r).split(basis.n_per_l, dim=1)
    measure = torch.from_numpy(weights * 2.5) * r**2
    for part in values:
        overlap = part.T @ (measure[:, None] * part)
        torch.testing.assert_close(overlap, torch.eye(part.shape[1], dtype=torch.float64))


def test_derivative_is_that_of_the_values():
    basis = LaplacianEigenstates(5.0, 4, 3).double()
    r = torch.linspace(0.05, 4.99, 17, dtype=torch.float64)
    values, slopes = basis.with_derivative(r)
    torch.testing.assert_close(values, basis(r), rtol=0, atol=1e-15)
    for k in range(values.shape[1]):
        x = r.clone().requires_grad_(True)
        (expected,) = torch.autograd.grad(basis(x)[:, k].sum(), x)
        torch.testing.assert_close(slopes[:, k], expected, rtol=1e-10, atol=1e-11)


def test_derivatives_are_right_to_second_order():
    basis = LaplacianEigenstates(4.0, 3, 2).double()
    r = torch.tensor([0.2, 1.0, 2.5, 3.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(basis, r)
    assert torch.autograd.gradgradcheck(basis, r)


def test_float32_is_good_to_single_precision():
    basis = LaplacianEigenstates(5.0, 7, 6)
    r = torch.linspace(0.3, 5.0, 200, dtype=torch.float64)
    single = basis(r.float()).double()
    double = basis.double()(r)
    assert float((single - double).abs().max()) < 1e-5 * float(double.abs().max())


def test_functions_stay_finite_beyond_the_cutoff():
    assert torch.isfinite(LaplacianEigenstates(5.0, 7, 6)(torch.tensor([5.0, 5.1, 50.0]))).all()


def test_too_few_radial_functions_for_the_degree_are_refused():
    with pytest.raises(
        ArchitectureError,
        match="leaves no radial function for l = 3; raise max_radial, or lower max_angular to 2",
    ):
        LaplacianEigenstates(5.0, 1, 6)


def test_torchscript_gives_the_same():
    basis = LaplacianEigenstates(5.0, 3, 2)
    r = torch.linspace(0.5, 5.0, 9)
    assert torch.equal(torch.jit.script(basis)(r), basis(r))

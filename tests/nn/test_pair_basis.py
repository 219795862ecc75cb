"""Functions of a pair's vector against their closed forms, and the Jacobian written out."""

import numpy as np
import pytest
import torch
from torch import Tensor

from mtt.errors import ArchitectureError
from mtt.nn import PairBasis

CUTOFF, WIDTH, N_RADIAL, DECAY = 4.0, 1.5, 3, 0.7
WIDTHS = [WIDTH, CUTOFF]


def vectors_of(n: int, seed: int = 0) -> Tensor:
    """Of lengths from 0.5 to beyond the cutoff, along the axes, too; float64."""
    generator = torch.Generator().manual_seed(seed)
    units = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    units = torch.cat([units, torch.eye(3).double(), -torch.eye(3).double()])
    lengths = torch.linspace(0.5, 1.1 * CUTOFF, len(units), dtype=torch.float64)
    return units / units.norm(dim=1, keepdim=True) * lengths[:, None]


def make(l_max: int = 2, width: float = WIDTH) -> PairBasis:
    return PairBasis(CUTOFF, width, l_max, N_RADIAL, DECAY).double()


def closed_forms(vectors: np.ndarray, width: float) -> np.ndarray:
    """f Y_lm for l ≤ 2, and f B_n, as textbooks write them, [n, 9 + N_RADIAL]."""
    r = np.linalg.norm(vectors, axis=1)
    x, y, z = (vectors / r[:, None]).T
    t = np.clip((r - CUTOFF + width) / width, 0, 1)
    f = 1 - 10 * t**3 + 15 * t**4 - 6 * t**5
    second = [x * y, y * z, (3 * z * z - 1) / np.sqrt(12), x * z, (x * x - y * y) / 2]
    angular = [np.ones_like(r)]
    angular += [np.sqrt(3) * part for part in (y, z, x)]
    angular += [np.sqrt(15) * part for part in second]
    radial = [
        np.sqrt(CUTOFF / 2) * np.sin(n * np.pi * r / CUTOFF) / r / n**DECAY
        for n in range(1, N_RADIAL + 1)
    ]
    return np.stack([*angular, *radial], axis=1) * f[:, None]


@pytest.mark.parametrize("width", WIDTHS)
def test_functions_are_the_closed_forms(width):
    basis, vectors = make(width=width), vectors_of(30)
    expected = closed_forms(vectors.numpy(), width)
    assert basis.n_functions == expected.shape[1]
    assert basis.n_angular == 9
    np.testing.assert_allclose(basis(vectors), expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(basis.plain(vectors), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("l_max", [0, 1, 4])
def test_the_jacobian_is_that_of_automatic_differentiation(l_max, width):
    basis, vectors = make(l_max, width), vectors_of(20)
    values, jacobian = basis.evaluate(vectors)
    torch.testing.assert_close(values, basis.plain(vectors), rtol=0, atol=1e-13)

    def summed(v: Tensor) -> Tensor:
        return basis.plain(v).sum(0)  # each row has a vector of its own

    expected = torch.autograd.functional.jacobian(summed, vectors).permute(1, 2, 0)
    torch.testing.assert_close(jacobian, expected, rtol=0, atol=1e-11)


def test_both_products_with_the_jacobian_are_transposed():
    basis, vectors = make(), vectors_of(5)
    values, jacobian = basis.evaluate(vectors)
    u, v = torch.randn_like(values), torch.randn_like(vectors)
    torch.testing.assert_close(basis.tangent(v, jacobian), torch.einsum("nif,ni->nf", jacobian, v))
    one = (basis.pullback(u, jacobian) * v).sum()
    torch.testing.assert_close(one, (basis.tangent(v, jacobian) * u).sum())


@pytest.mark.parametrize("l_max", [0, 3])
def test_derivatives_agree_with_finite_differences(l_max):
    basis, vectors = make(l_max), vectors_of(3)[::2].requires_grad_(True)
    assert torch.autograd.gradcheck(basis, vectors)
    assert torch.autograd.gradgradcheck(basis, vectors)


def test_third_derivatives_are_those_of_the_plain_formulas():
    basis, vectors = make(), vectors_of(6).requires_grad_(True)
    results = []
    for function in (basis, basis.plain):
        total = function(vectors).sum(1).tanh().sum()
        for _ in range(2):
            (gradient,) = torch.autograd.grad(total, vectors, create_graph=True)
            total = gradient.square().sum()
        results.append(torch.autograd.grad(total, vectors)[0])
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)


def test_beyond_the_cutoff_there_is_nothing_and_no_derivative():
    basis = make()
    units = torch.tensor([[0.6, 0.0, 0.8], [0.0, 0.0, -1.0]], dtype=torch.float64)
    vectors = torch.cat([units * CUTOFF, units * 5.0, units * 1e3]).requires_grad_(True)
    values, jacobian = basis.evaluate(vectors.detach())
    assert not bool(values[2:].any())
    assert not bool(jacobian[2:].any())
    assert float(values.abs().max()) < 1e-14
    (gradient,) = torch.autograd.grad(basis(vectors).sum(), vectors)
    assert float(gradient.abs().max()) < 1e-14


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("at", ["cutoff", "where it begins to fall"])
def test_values_and_two_derivatives_are_continuous(at, width):
    basis = make(width=width)
    edge = CUTOFF if at == "cutoff" else CUTOFF - width + 1e-3 * (width == CUTOFF)
    unit = torch.tensor([0.48, -0.6, 0.64], dtype=torch.float64)
    sides = []
    for r in (edge - 1e-8, edge + 1e-8):
        length = torch.tensor(r, dtype=torch.float64)

        def along(length: Tensor) -> Tensor:
            return basis.plain((length * unit)[None])[0]

        def slope(length: Tensor, function=along) -> Tensor:
            one = torch.ones_like(length)
            return torch.autograd.functional.jvp(function, length, one, create_graph=True)[1]

        curvature = torch.autograd.functional.jvp(slope, length, torch.ones_like(length))[1]
        sides.append(torch.stack([along(length), slope(length), curvature]).detach())
    scale = 1 + float(sides[0].abs().max())
    torch.testing.assert_close(*sides, rtol=0, atol=1e-4 * scale)
    if at == "cutoff":
        assert float(sides[0].abs().max()) < 1e-5


def test_float32_is_good_to_single_precision():
    vectors = vectors_of(30)
    single = PairBasis(CUTOFF, WIDTH, 4, N_RADIAL)(vectors.float())
    assert single.dtype == torch.float32
    exact = PairBasis(CUTOFF, WIDTH, 4, N_RADIAL).double()(vectors)
    torch.testing.assert_close(single.double(), exact, rtol=0, atol=2e-5)


def test_torchscript_gives_the_same_values_and_derivatives():
    basis = make()
    compiled = torch.jit.script(basis)
    results = []
    for function in (basis, compiled):
        vectors = vectors_of(10).requires_grad_(True)
        values = function(vectors)
        (gradient,) = torch.autograd.grad(values.square().sum(), vectors)
        results.append((values.detach(), gradient))
    for eager, scripted in zip(*results, strict=True):
        torch.testing.assert_close(scripted, eager, rtol=0, atol=1e-12)


@pytest.mark.parametrize("l_max", [0, 2])
def test_no_vectors_have_no_functions(l_max):
    basis, nothing = make(l_max), torch.zeros(0, 3, dtype=torch.float64, requires_grad=True)
    values = basis(nothing)
    assert values.shape == (0, basis.n_functions)
    (gradient,) = torch.autograd.grad(values.sum(), nothing, create_graph=True)
    assert gradient.shape == (0, 3)


def test_a_width_beyond_the_cutoff_is_refused():
    with pytest.raises(ArchitectureError, match="0 < width <= cutoff"):
        make(width=CUTOFF + 0.1)


def test_nothing_of_it_is_stored_in_checkpoints():
    assert make().state_dict() == {}

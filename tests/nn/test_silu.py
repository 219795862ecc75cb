"""The SiLU activation and its derivatives."""

import pytest
import torch
from torch import Tensor

from mtt.nn import silu


@pytest.fixture
def z() -> Tensor:
    """From far below zero, where it is flat, to far above, where it is the identity."""
    return torch.linspace(-30.0, 30.0, 61, dtype=torch.float64).requires_grad_(True)


def closed_form(z: Tensor) -> Tensor:
    return z / (1 + torch.exp(-z))


def derivatives(function, z: Tensor, orders: int) -> list[Tensor]:
    found, last = [], function(z)
    for _ in range(orders):
        (last,) = torch.autograd.grad(last.sum(), z, create_graph=True)
        found.append(last)
    return found


def test_values_are_z_times_the_logistic_function(z):
    torch.testing.assert_close(silu(z), closed_form(z), rtol=1e-14, atol=1e-14)
    assert torch.equal(silu(z), torch.nn.functional.silu(z))


def test_derivatives_agree_with_finite_differences():
    z = torch.linspace(-4.0, 4.0, 12, dtype=torch.float64).view(3, 2, 2).requires_grad_(True)
    assert torch.autograd.gradcheck(silu, z)
    assert torch.autograd.gradgradcheck(silu, z)


def test_four_derivatives_are_those_of_automatic_differentiation(z):
    ours, automatic = derivatives(silu, z, 4), derivatives(closed_form, z, 4)
    for order, (one, two) in enumerate(zip(ours, automatic, strict=True), 1):
        torch.testing.assert_close(
            one, two, rtol=1e-9, atol=1e-11, msg=lambda m, k=order: f"{k} {m}"
        )


def test_the_derivative_of_a_loss_on_gradients_is_right():
    """As training on forces asks for it: the gradient depends on weights twice."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 3, generator=generator, dtype=torch.float64).requires_grad_(True)
    w = torch.randn(3, 4, generator=generator, dtype=torch.float64).requires_grad_(True)
    results = []
    for function in (silu, closed_form):
        (force,) = torch.autograd.grad(function(x @ w).sum(), x, create_graph=True)
        results.append(torch.autograd.grad(force.square().sum(), (x, w)))
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


def test_large_numbers_stay_finite():
    z = torch.tensor([-1e4, -200.0, 200.0, 1e4], requires_grad=True)
    first, second = derivatives(silu, z, 2)
    assert torch.equal(first, torch.tensor([0.0, 0.0, 1.0, 1.0]))
    assert torch.equal(second, torch.zeros(4))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_the_slope_keeps_the_digits_of_its_precision(dtype):
    """Also where z is large, and sums of z and the slope, which is about 1, would lose it."""
    z = torch.cat([torch.linspace(-6.0, 30.0, 200), torch.tensor([987.3, 3.1e4])]).to(dtype)
    (exact,) = derivatives(closed_form, z.double().requires_grad_(True), 1)
    (found,) = derivatives(silu, z.requires_grad_(True), 1)
    assert found.dtype == dtype
    error = (found.double() - exact).detach().abs().max()
    assert float(error) < 10 * torch.finfo(dtype).eps
    assert bool((found[-2:] == 1).all())


def test_compiled_it_has_the_same_values_and_derivatives(z):
    compiled = torch.jit.script(silu)
    assert torch.equal(compiled(z), silu(z))
    for one, two in zip(derivatives(compiled, z, 2), derivatives(silu, z, 2), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_it_keeps_the_precision_of_what_it_gets(dtype):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8, 5, generator=generator).requires_grad_(True)
    w = torch.randn(5, 3, generator=generator).requires_grad_(True)
    results = []
    for enabled in (True, False):
        with torch.autocast("cpu", dtype, enabled=enabled):
            z = x @ w
            y = silu(z)
        assert y.dtype == z.dtype == (dtype if enabled else torch.float32)
        (force,) = torch.autograd.grad(y.float().sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(force.square().sum(), w)
        assert force.dtype == second.dtype == torch.float32
        results.append((force, second))
    for low, exact in zip(*results, strict=True):
        error = ((low - exact).norm() / exact.norm()).item()
        assert error < (2e-2 if dtype == torch.bfloat16 else 3e-3)

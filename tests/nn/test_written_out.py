"""Derivatives written out by hand, against automatic differentiation of the plain formula."""

import pytest
import torch
from torch import Tensor

from mtt.nn.written_out import written_out


class Cubes:
    """r² v and r⁴ of vectors v, [n, 4]: derivatives of the first four orders are not zero."""

    def __init__(self) -> None:
        self.plain_calls = 0

    def plain(self, vectors: Tensor) -> Tensor:
        self.plain_calls += 1
        squares = vectors.square().sum(1, keepdim=True)
        return torch.cat([squares * vectors, squares.square()], dim=1)

    def evaluate(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        squares = vectors.square().sum(1)[:, None, None]
        outer = vectors[:, :, None] * vectors[:, None, :]
        by_cubes = 2 * outer + squares * torch.eye(3, dtype=vectors.dtype)
        jacobian = torch.cat([by_cubes, 4 * squares * vectors[:, :, None]], dim=2)
        squares = squares[:, :, 0]
        return torch.cat([squares * vectors, squares.square()], dim=1), jacobian

    def pullback(self, cotangent: Tensor, jacobian: Tensor) -> Tensor:
        return torch.einsum("nif,nf->ni", jacobian, cotangent)

    def tangent(self, direction: Tensor, jacobian: Tensor) -> Tensor:
        return torch.einsum("nif,ni->nf", jacobian, direction)


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.fixture
def formula() -> Cubes:
    return Cubes()


@pytest.fixture
def vectors() -> Tensor:
    return random(5, 3).requires_grad_(True)


@pytest.fixture
def weights() -> Tensor:
    return random(4, seed=1).requires_grad_(True)


def energy(values: Tensor, weights: Tensor) -> Tensor:
    """Not linear in the function, so that its cotangent depends on the vectors, too."""
    return (values @ weights).tanh().sum()


def test_value_and_gradient_are_those_of_the_plain_formula(formula, vectors, weights):
    results = []
    for function in (formula.plain, lambda v: written_out(formula, v)):
        value = function(vectors)
        results.append((value, *torch.autograd.grad(energy(value, weights), (vectors, weights))))
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(two, one, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("order", [2, 3])
def test_higher_derivatives_are_those_of_the_plain_formula(formula, vectors, weights, order):
    results = []
    for function in (formula.plain, lambda v: written_out(formula, v)):
        total = energy(function(vectors), weights)
        for k in range(order - 1):
            gradients = torch.autograd.grad(total, (vectors, weights), create_graph=True)
            directions = (random(5, 3, seed=10 + k), random(4, seed=20 + k))
            total = sum(
                (one * direction).square().sum()
                for one, direction in zip(gradients, directions, strict=True)
            )
        results.append(torch.autograd.grad(total, (vectors, weights)))
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(two, one, rtol=1e-10, atol=1e-10)


def test_derivatives_agree_with_finite_differences(formula, vectors):
    assert torch.autograd.gradcheck(lambda v: written_out(formula, v), vectors)
    assert torch.autograd.gradgradcheck(lambda v: written_out(formula, v), vectors)


def test_training_on_forces_never_asks_for_second_derivatives(formula, vectors, weights):
    """``backward(inputs=weights)`` of a loss on forces works with the Jacobian alone."""
    total = energy(written_out(formula, vectors), weights)
    (gradient,) = torch.autograd.grad(total, vectors, create_graph=True)
    torch.autograd.backward(gradient.square().sum(), inputs=[weights])
    assert formula.plain_calls == 0
    assert vectors.grad is None
    (expected,) = torch.autograd.grad(
        torch.autograd.grad(energy(formula.plain(vectors), weights), vectors, create_graph=True)[0]
        .square()
        .sum(),
        weights,
    )
    torch.testing.assert_close(weights.grad, expected, rtol=1e-12, atol=1e-12)


def test_second_derivatives_by_vectors_take_the_plain_formula(formula, vectors, weights):
    total = energy(written_out(formula, vectors), weights)
    (gradient,) = torch.autograd.grad(total, vectors, create_graph=True)
    assert formula.plain_calls == 0
    torch.autograd.grad(gradient.square().sum(), vectors)
    assert formula.plain_calls == 1


def test_forces_alone_keep_no_graph(formula, vectors, weights):
    (gradient,) = torch.autograd.grad(energy(written_out(formula, vectors), weights), vectors)
    assert not gradient.requires_grad
    assert formula.plain_calls == 0


def test_the_hessian_is_that_of_the_plain_formula(formula, weights):
    point, fixed = random(2, 3), weights.detach()

    def written(v: Tensor) -> Tensor:
        return energy(written_out(formula, v), fixed)

    def plain(v: Tensor) -> Tensor:
        return energy(formula.plain(v), fixed)

    found, expected = (torch.autograd.functional.hessian(f, point) for f in (written, plain))
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


def test_no_vectors_have_no_derivatives(formula, weights):
    nothing = torch.zeros(0, 3, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(energy(written_out(formula, nothing), weights), nothing)
    assert gradient.shape == (0, 3)

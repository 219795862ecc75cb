"""The cutoff function and its smoothness."""

import pytest
import torch

from mtt.errors import ArchitectureError
from mtt.nn import SmoothCutoff


def test_it_is_one_inside_and_zero_from_the_cutoff_on():
    cutoff = SmoothCutoff(5.0, 0.5)
    values = cutoff(torch.tensor([0.1, 4.4999, 4.75, 5.0, 7.0, 1e6]))
    torch.testing.assert_close(values, torch.tensor([1.0, 1.0, 0.5, 0.0, 0.0, 0.0]))
    assert bool((values[3:] == 0).all())


@pytest.mark.parametrize("at", [4.5, 5.0])
def test_value_and_two_derivatives_are_continuous(at):
    cutoff = SmoothCutoff(5.0, 0.5)
    sides = []
    for r in (at - 1e-9, at + 1e-9):
        x = torch.tensor(r, dtype=torch.float64, requires_grad=True)
        value = cutoff(x)
        (first,) = torch.autograd.grad(value, x, create_graph=True)
        (second,) = torch.autograd.grad(first, x)
        sides.append(torch.stack([value, first, second]).detach())
    torch.testing.assert_close(*sides, rtol=0, atol=1e-5)


def test_derivative_is_that_of_the_value():
    cutoff = SmoothCutoff(5.0, 1.2)
    r = torch.linspace(3.5, 5.3, 40, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(cutoff(r).sum(), r)
    torch.testing.assert_close(cutoff.derivative(r), expected)


@pytest.mark.parametrize("width", [0.0, -1.0, 5.5, float("nan")])
def test_a_width_that_cannot_be_is_refused(width):
    with pytest.raises(ArchitectureError, match="0 < width <= cutoff"):
        SmoothCutoff(5.0, width)

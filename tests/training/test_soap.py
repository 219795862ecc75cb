"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner."""

import numpy as np
import pytest
import torch

from mtt.training.optimizers.named.ours.soap import SOAP


def gradients(*shape, steps=25, seed=0):
    """Of a landscape with some steep directions."""
    generator = torch.Generator().manual_seed(seed)
    steep = torch.logspace(0, 2, shape[-1], dtype=torch.float64)
    return [torch.randn(*shape, generator=generator).double() * steep for _ in range(steps)]


def moved(weight, given, **options):
    """``weight`` after steps with these gradients, from zero."""
    parameter = torch.nn.Parameter(torch.zeros_like(weight))
    optimizer = SOAP([parameter], lr=0.01, **options)
    for gradient in given:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


def improved(basis, products, shift):
    """One power iteration, in numpy: the next basis, and the order of the columns."""
    image = products @ basis / np.trace(products) + shift * basis
    octaves = np.log2(np.diag(basis.T @ image))
    order = np.argsort(-np.round(8 * octaves), kind="stable")
    return np.linalg.qr(image[:, order])[0], order


def by_hand(given, frequency, beta1, beta2):
    """One matrix, in numpy: moments in the original directions, turned anew in every step."""
    first = given[0]
    rows, columns = (1 - beta2) * first @ first.T, (1 - beta2) * first.T @ first
    u, v = np.eye(len(rows)), np.eye(len(columns))
    for _ in range(5):
        u, v = improved(u, rows, 1e-3)[0], improved(v, columns, 1e-3)[0]
    weight, moment, square = np.zeros_like(first), np.zeros_like(first), np.zeros_like(first)
    for t, g in enumerate(given[1:], 1):
        moment = beta1 * moment + (1 - beta1) * g
        square = beta2 * square + (1 - beta2) * (u.T @ g @ v) ** 2
        unbiased = (u.T @ moment @ v) / (1 - beta1**t)
        roots = np.sqrt(square) + 1e-5 * np.sqrt(square.max())
        weight = weight - 0.01 * u @ (unbiased / (roots / np.sqrt(1 - beta2**t))) @ v.T
        rows = beta2 * rows + (1 - beta2) * g @ g.T
        columns = beta2 * columns + (1 - beta2) * g.T @ g
        if t % frequency == 0:
            u, order = improved(u, rows, 1e-6)
            v, sideways = improved(v, columns, 1e-6)
            square = square[order][:, sideways]
    return weight


@pytest.mark.parametrize("frequency", [1, 4])
def test_a_matrix_moves_as_the_paper_says(frequency):
    given = gradients(4, 4)
    found = moved(given[0], given, eps=0.0, precondition_frequency=frequency, betas=(0.9, 0.95))
    expected = by_hand([g.numpy() for g in given], frequency, 0.9, 0.95)
    # 24 steps of about the learning rate
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)
    assert np.abs(expected).max() > 0.02


def test_the_bases_become_eigenvectors_with_the_greatest_eigenvalue_first():
    parameter = torch.nn.Parameter(torch.zeros(6, 4, dtype=torch.float64))
    optimizer = SOAP([parameter], lr=0.01, precondition_frequency=1, betas=(0.9, 0.999))
    (given,) = gradients(6, 4, steps=1)
    for _ in range(40):
        parameter.grad = given.clone()
        optimizer.step()
    state = optimizer.state[parameter]
    for side, expected in ((0, given @ given.T), (1, given.T @ given)):
        basis = state[f"basis{side}"][0]
        torch.testing.assert_close(basis.T @ basis, torch.eye(len(basis), dtype=torch.float64))
        found = basis.T @ (expected / expected.trace()) @ basis
        torch.testing.assert_close(found, found.diagonal().diag(), rtol=0, atol=1e-9)
        # those below 1e-6 of the trace are not looked for
        assert found.diagonal()[:2].tolist() == sorted(found.diagonal().tolist())[:-3:-1]


def learned(rounding, steps=45):
    """Two layers that learn from three samples: few directions have gradients, pairs equal ones.

    :param rounding: relative change of every gradient, as by sums in another order.
    """
    generator = torch.Generator().manual_seed(3)
    inputs, outputs = (
        torch.randn(3, n, generator=generator, dtype=torch.float64) for n in (12, 16)
    )
    inner = torch.randn(8, 12, generator=generator, dtype=torch.float64) / 4
    weights = [torch.nn.Parameter(w) for w in (inner, torch.eye(16, dtype=torch.float64))]
    optimizer = SOAP(weights, lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        hidden = torch.tanh(inputs @ weights[0].T)
        found = torch.cat([hidden, hidden], dim=1) @ weights[1]
        (found - outputs).square().mean().backward()
        for weight in weights:
            noise = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
            weight.grad += rounding * weight.grad.abs().max() * noise
        optimizer.step()
    return torch.cat([weight.detach().flatten() for weight in weights])


def test_rounding_of_gradients_stays_rounding():
    """The order in which ranks, or threads, sum up a gradient must not be another training."""
    as_they_are = learned(0.0)
    moved = (as_they_are - learned(0.0, steps=1)).abs().max()
    assert moved > 0.1
    torch.testing.assert_close(learned(1e-16), as_they_are, rtol=0, atol=1e-9)


def test_each_matrix_of_a_stack_is_on_its_own():
    given = gradients(2, 3, 4, 5)
    together = moved(given[0], given, precondition_frequency=2)
    for i in range(2):
        for j in range(3):
            alone = moved(given[0][i, j], [g[i, j] for g in given], precondition_frequency=2)
            torch.testing.assert_close(together[i, j], alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(), (6,), (1, 6), (6, 1)])
def test_vectors_have_plain_adam_after_a_first_step_that_only_measures(shape):
    given = gradients(*(shape or (1,)))
    given = [g.reshape(shape) for g in given]
    found = moved(given[0], given, betas=(0.8, 0.9), eps=0.0)
    parameter = torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64))
    adam = torch.optim.Adam([parameter], lr=0.01, betas=(0.8, 0.9), eps=0.0)
    for gradient in given[1:]:
        parameter.grad = gradient.clone()
        adam.step()
    torch.testing.assert_close(found, parameter.detach(), rtol=1e-9, atol=1e-12)


def test_dimensions_of_size_one_are_not_preconditioned():
    given = gradients(4, 1, 5)
    squeezed = moved(given[0][:, 0], [g[:, 0] for g in given])
    assert torch.equal(moved(given[0], given)[:, 0], squeezed)


def test_long_sides_have_no_basis():
    parameter = torch.nn.Parameter(torch.zeros(3, 20))
    optimizer = SOAP([parameter], max_precondition_dim=10)
    parameter.grad = torch.randn(3, 20)
    optimizer.step()
    assert {key for key in optimizer.state[parameter] if "basis" in key} == {"basis0"}


def test_weights_decay_by_the_learning_rate():
    parameter = torch.nn.Parameter(torch.ones(2, 3))
    optimizer = SOAP([parameter], lr=0.1, weight_decay=0.5)
    for _ in range(3):
        parameter.grad = torch.zeros(2, 3)
        optimizer.step()
    torch.testing.assert_close(parameter.detach(), torch.full((2, 3), 0.95**2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"betas": (0.9, 1.0)}, r"must be in \[0, 1\)"),
        ({"shampoo_beta": -0.1}, r"must be in \[0, 1\)"),
        ({"eps": -1.0}, "eps must be at least 0"),
        ({"precondition_frequency": 0}, "must be 1 or more"),
    ],
)
def test_senseless_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SOAP([torch.nn.Parameter(torch.zeros(2, 2))], **options)

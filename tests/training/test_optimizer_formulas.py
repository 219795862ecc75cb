"""The first step of every optimizer, by its formula."""

import numpy as np
import pytest
import torch

from mtt.discovery import OPTIMIZERS
from mtt.options.training import parse
from mtt.training.optimizers import make_optimizer, needs_closure

WEIGHTS = np.array([[1.0, -2.0], [0.5, 3.0]])
BEST = np.array([[0.2, 0.5], [1.5, -1.0]])
GRADIENT = WEIGHTS - BEST


def nadam(g):
    first, second = (0.9 * (1 - 0.5 * 0.96 ** (step * 0.004)) for step in (1, 2))
    return np.sign(g) * (1 + 0.1 * second / (1 - first * second))


def adafactor(g):
    squares = g**2
    rows, columns = squares.mean(1, keepdims=True), squares.mean(0, keepdims=True)
    step = g / np.sqrt(rows * columns / squares.mean())
    size = max(1.0, np.sqrt((step**2).mean()))  # clipped to a root mean square of 1
    return np.sqrt((WEIGHTS**2).mean()) * step / size  # relative to that of the weights


def muon(g):
    """Newton and Schulz's iteration towards the nearest orthogonal matrix (Jordan et al., 2024)."""
    a, b, c = 3.4445, -4.775, 2.0315
    x = g / np.linalg.norm(g)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return 0.2 * np.sqrt(2) * x


FORMULAS = {
    "adabelief": lambda g: g / np.abs(g - 0.1 * g),
    "adafactor": adafactor,
    "adam": np.sign,
    "adamw": np.sign,
    "amsgrad": np.sign,
    "lbfgs": lambda g: g,  # to the minimum of the parabola
    "lion": np.sign,
    "mlip": np.sign,
    "muon": muon,
    "nadam": nadam,
    "prodigy": lambda g: 1e-6 * 0.1 * g / np.sqrt(0.001 * g**2),  # of its first estimate, d0
    "radam": lambda g: g,
    "schedulefree_adamw": np.sign,
    "schedulefree_sgd": lambda g: g,
    "sgd": lambda g: g,
    "soap": lambda g: 0 * g,  # the first step only measures
    "yogi": lambda g: g / (np.sqrt(g**2 + 1e-3) + 1e-3),
}
"""The first step in units of the learning rate, by the gradient [2, 2]."""


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_the_first_step_of_every_optimizer_is_its_formula(name):
    layer = torch.nn.Linear(2, 2, bias=False).double()
    layer.load_state_dict({"weight": torch.from_numpy(WEIGHTS.copy())})
    made = make_optimizer(layer, parse({"optimizer": name, "learning_rate": 1.0}))

    def closure():
        made.zero_grad()
        loss = (layer.weight - torch.from_numpy(BEST)).square().sum() / 2
        loss.backward()
        return loss

    if needs_closure(made):
        made.step(closure)
    else:
        closure()
        made.step()
    found = WEIGHTS - layer.weight.detach().numpy()
    # torch orthogonalises in 16 bits
    rounding = {"rtol": 0.02, "atol": 0.01} if name == "muon" else {"rtol": 1e-4, "atol": 1e-12}
    np.testing.assert_allclose(found, FORMULAS[name](GRADIENT), **rounding)

"""Normal equations and their ridge, against numpy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtt.errors import TrainingError
from mtt.ranks import SerialRanks
from mtt.training.least_squares.equations import NormalEquations
from mtt.training.least_squares.ridge import solve


def system(
    n: int = 3000, k: int = 40, noise: float = 0.1
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    x, true = draw(n, k), draw(k)
    return x, x @ true + noise * draw(n), draw(n).abs(), true


def added(x: torch.Tensor, y: torch.Tensor, roots: torch.Tensor, size: int) -> NormalEquations:
    equations = NormalEquations(x.shape[1])
    for first in range(0, len(x), size):
        part = slice(first, first + size)
        equations.add(x[part], y[part], roots[part])
    equations.finish(SerialRanks())
    return equations


@pytest.mark.parametrize("size", [7, 1100, 3000])
def test_blocks_of_any_size_add_up_to_the_whole(size: int) -> None:
    x, y, roots, _ = system()
    roots[5] = 0.0
    y[5] = float("nan")  # a label that is missing does not count
    found = added(x, y, roots, size)
    used = roots > 0
    wx, wy = (x * roots[:, None])[used], (y * roots)[used]
    torch.testing.assert_close(found.matrix, wx.T @ wx)
    torch.testing.assert_close(found.right, wx.T @ wy)
    assert float(found.squares) == pytest.approx(float(wy @ wy))
    assert found.n_rows == 2999


def test_a_given_ridge_gives_the_penalised_solution() -> None:
    x, y, roots, _ = system()
    equations = added(x, y, roots, 500)
    penalised = torch.ones(40, dtype=torch.bool)
    penalised[-1] = False
    found = solve(equations, penalised, 0.3)
    strength = 0.3 * float(equations.matrix.diagonal()[penalised].mean())
    rows = np.concatenate([(x * roots[:, None]).numpy(), np.sqrt(strength) * np.eye(40)[:-1]])
    wanted = np.linalg.lstsq(rows, np.append((y * roots).numpy(), np.zeros(39)), rcond=None)[0]
    np.testing.assert_allclose(found.weights.numpy(), wanted, rtol=1e-6)
    # the trace of the hat matrix, by eigenvalues
    gram = equations.matrix.numpy()
    inverse = np.linalg.inv(gram + strength * np.diag(penalised.double().numpy()))
    assert found.effective == pytest.approx(np.trace(gram @ inverse), rel=0.02)


@pytest.mark.parametrize("criterion", ["evidence", "gcv"])
def test_the_data_choose_little_ridge_where_labels_are_good_and_much_where_they_are_noise(
    criterion: str,
) -> None:
    penalised = torch.ones(40, dtype=torch.bool)
    good = solve(added(*system(noise=1e-3)[:3], 500), penalised, criterion)  # type: ignore[arg-type]
    x, _, _, true = system(n=60)
    noise = torch.randn(60, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    bad_equations = added(x, x @ true * 0.02 + noise, torch.ones(60).double(), 500)
    bad = solve(bad_equations, penalised, criterion)  # type: ignore[arg-type]
    assert good.ridge < 1e-5 < 1e-2 < bad.ridge
    assert good.effective > 39.5
    assert bad.effective < 25
    scores = list(good.tried.values())
    assert good.tried[good.ridge] == min(scores)


def test_features_that_depend_on_one_another_are_solved_all_the_same() -> None:
    x, y, roots, _ = system()
    twice = torch.cat([x, x], dim=1)
    found = solve(added(twice, y, roots, 500), torch.ones(80, dtype=torch.bool), "evidence")
    torch.testing.assert_close(found.weights[:40], found.weights[40:], rtol=1e-3, atol=1e-3)
    assert found.effective < 41


def test_what_is_not_finite_has_no_solution() -> None:
    x, y, roots, _ = system()
    x[3, 3] = float("inf")
    with pytest.raises(TrainingError, match="cannot be solved for any ridge"):
        solve(added(x, y, roots, 500), torch.ones(40, dtype=torch.bool), "gcv")


def test_weights_that_are_not_determined_need_a_larger_ridge() -> None:
    x, y, roots, _ = system()
    twice = torch.cat([x, x], dim=1)
    with pytest.raises(TrainingError, match="with ridge 1e-20 the equations cannot be solved"):
        solve(added(twice, y, roots, 500), torch.ones(80, dtype=torch.bool), 1e-20)

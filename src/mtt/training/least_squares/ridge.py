"""Solving normal equations with a penalty on the weights, whose strength the data may choose."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from mtt.errors import TrainingError
from mtt.training.least_squares.equations import NormalEquations

Criterion = Literal["evidence", "gcv"]
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)

_FIRST = -9  # log10 of the ridge where the search begins
_RANGE = (-14, 2)
_PROBES = 32  # random vectors for the trace


@dataclass(frozen=True)
class Solution:
    """Weights, and how well they are determined.

    :param weights: [n_columns] float64.
    :param ridge: the penalty, in units of the mean of the matrix's diagonal.
    :param effective: number of parameters that the data determine, rather than the penalty.
    :param condition: of the matrix that was solved; an estimate.
    :param squares: what is left of the weighted squares of the rows.
    :param tried: ridge to criterion, of all that were compared.
    """

    weights: Tensor
    ridge: float
    effective: float
    condition: float
    squares: float
    tried: dict[float, float]


def solve(
    equations: NormalEquations,
    penalised: Tensor,
    ridge: float | Criterion,
    interrupted: Callable[[], None] = lambda: None,
) -> Solution:
    """Minimise the weighted squares plus ridge times the squares of the penalised weights.

    ``"evidence"`` takes the ridge under which the labels are most likely, weights and noise
    being Gaussian (MacKay, Neural Comput. 4, 415 (1992)); ``"gcv"`` that with the least
    generalised cross-validation error (Golub, Heath and Wahba, Technometrics 21, 215 (1979)).

    :param penalised: [n_columns] bool; others are fitted freely.
    :param ridge: a number, in units of the mean of the matrix's diagonal, or how to find it.
    :param interrupted: called between two factorisations.
    :raises TrainingError: the equations cannot be solved.
    """
    system = _System(equations, penalised)
    if not isinstance(ridge, str):
        attempt = system.attempt(ridge)
        if attempt is None:
            raise TrainingError(
                f"with ridge {ridge:g} the equations cannot be solved: weights are not determined",
                where="architecture.training.ridge",
                hint="take a larger one, or let evidence choose it",
            )
        return system.solution(attempt, {ridge: attempt.score("evidence")})
    known: dict[int, _Attempt | None] = {}

    def score(exponent: int) -> float:
        if exponent not in known:
            interrupted()
            known[exponent] = system.attempt(10.0 ** (exponent / 2))
        found = known[exponent]
        return math.inf if found is None else found.score(ridge)

    chosen = known[_lowest(score)]
    if chosen is None:
        raise TrainingError(
            "the equations of the fit cannot be solved for any ridge: labels or features are not "
            "finite",
            hint="mtt check looks for what is wrong with the data",
        )
    tried = {10.0 ** (k / 2): one.score(ridge) for k, one in sorted(known.items()) if one}
    return system.solution(chosen, tried)


def _lowest(score: Callable[[int], float]) -> int:
    """The number of half decades where a function with one minimum is lowest."""
    low, high = 2 * _RANGE[0], 2 * _RANGE[1]
    place = 2 * _FIRST
    while math.isinf(score(place)) and place < high:
        place = min(place + 4, high)
    for step in (2, 1):
        while True:
            near = [one for one in (place - step, place + step) if low <= one <= high]
            best = min(near, key=score)
            if score(best) >= score(place):
                break
            place = best
    return place


@dataclass(frozen=True)
class _Attempt:
    ridge: float
    factor: Tensor
    weights: Tensor
    scores: dict[str, float]
    squares: float
    effective: float

    def score(self, criterion: str) -> float:
        return self.scores[criterion]


class _System:
    def __init__(self, equations: NormalEquations, penalised: Tensor) -> None:
        self.matrix, self.right = equations.matrix, equations.right
        self.squares, self.n_rows = float(equations.squares), equations.n_rows
        self.penalised = penalised
        diagonal = self.matrix.diagonal()
        self.unit = float(diagonal[penalised].mean()) if bool(penalised.any()) else 1.0
        self.unit = self.unit if self.unit > 0 else 1.0
        # free columns may depend on one another: the least that keeps them solvable
        largest = float(diagonal[~penalised].max()) if bool((~penalised).any()) else 0.0
        self.least = 1e-11 * (largest or self.unit)
        generator = torch.Generator().manual_seed(0)
        signs = torch.randint(0, 2, (len(penalised), _PROBES), generator=generator)
        self.probes = (2.0 * signs - 1.0).to(self.matrix) * penalised[:, None]

    def attempt(self, ridge: float) -> _Attempt | None:
        """The solution with this ridge; None where there is none in double precision."""
        strength = ridge * self.unit
        matrix = self.matrix.clone()
        matrix.diagonal().add_(torch.where(self.penalised, strength, self.least))
        factor, failed = torch.linalg.cholesky_ex(matrix)
        if int(failed) or not bool(torch.isfinite(factor.diagonal()).all()):
            return None
        weights = torch.cholesky_solve(self.right[:, None], factor)[:, 0]
        # one step of refinement: the last digits of an ill-conditioned system
        rest = self.right - matrix @ weights
        weights = weights + torch.cholesky_solve(rest[:, None], factor)[:, 0]
        penalty = strength * float(weights[self.penalised].square().sum())
        left = self.squares - 2 * float(weights @ self.right)
        left = max(left + float(weights @ (self.matrix @ weights)), 1e-15 * self.squares)
        inverse = torch.cholesky_solve(self.probes, factor)
        trace = float((self.probes * inverse).sum()) / _PROBES
        n, k = self.n_rows, int(self.penalised.sum())
        free = len(self.penalised) - k
        effective = min(max(k - strength * trace, 0.0), float(k)) + free
        scores = {
            "evidence": n * math.log(max(left + penalty, 1e-300))
            + 2 * float(factor.diagonal().log().sum())
            - (k * math.log(strength) if strength > 0 else -math.inf),
            "gcv": left / max(n - effective, 1e-3) ** 2 * n,
        }
        return _Attempt(ridge, factor, weights, scores, left, effective)

    def solution(self, attempt: _Attempt, tried: dict[float, float]) -> Solution:
        condition = self._condition(attempt)
        return Solution(
            attempt.weights, attempt.ridge, attempt.effective, condition, attempt.squares, tried
        )

    def _condition(self, attempt: _Attempt) -> float:
        """Largest by smallest eigenvalue, each by a few steps of the power method."""
        strength = attempt.ridge * self.unit
        largest = smallest = torch.nn.functional.normalize(torch.ones_like(self.right), dim=0)
        top = bottom = 1.0
        for _ in range(15):
            largest = self.matrix @ largest + strength * largest
            top = float(largest.norm())
            largest = largest / top
            smallest = torch.cholesky_solve(smallest[:, None], attempt.factor)[:, 0]
            bottom = float(smallest.norm())
            smallest = smallest / bottom
        return top * bottom

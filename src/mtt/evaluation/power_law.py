"""A power law through errors: ``error = a · n^-b + c``, with its uncertainty.

Errors of test sets fall as a power of the number of training structures until other limits take
over (C. Cortes et al., NIPS 6, 327 (1993)); the offset ``c`` is that limit. The logarithms of the
errors are fitted by least squares, the offset on a grid. Of the laws with and without offset, the
one with the lower corrected information criterion (C. M. Hurvich, C.-L. Tsai, Biometrika 76, 297
(1989)) is taken. Intervals come from fits to errors drawn from the law with the scatter about it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

_DRAWS = 400
_LEAST_SCATTER = 0.05  # of a logarithm: runs of other seeds differ so much, whatever few points say
_OFFSETS = np.concatenate([[0.0], np.linspace(0.05, 0.98, 40)])  # of the least error
_FEWEST_FOR_OFFSET = 5  # sizes
_INTERVAL = (16.0, 84.0)  # percentiles: one standard deviation of a normal distribution


@dataclass(frozen=True)
class PowerLaw:
    """``error(n) = amplitude · n^-exponent + offset``.

    :param exponent_range: its interval of 68 %.
    :param draws: [k, 3] amplitude, exponent and offset of drawn errors.
    """

    amplitude: float
    exponent: float
    offset: float
    exponent_range: tuple[float, float]
    draws: Float

    def error(self, n: float) -> float:
        """The error of ``n`` structures."""
        return float(self.amplitude * n**-self.exponent + self.offset)

    def error_range(self, n: float) -> tuple[float, float]:
        """Interval of 68 % of the error of ``n`` structures."""
        found = self.draws[:, 0] * n ** -self.draws[:, 1] + self.draws[:, 2]
        low, high = np.percentile(found, _INTERVAL)
        return float(low), float(high)

    def structures_for(self, error: float) -> tuple[float, float, float]:
        """Structures that an error needs, and their interval of 68 %; infinite: never."""
        needed = [_needed(a, b, c, error) for a, b, c in self.draws.tolist()]
        low, high = np.percentile(needed, _INTERVAL, method="nearest")
        best = _needed(self.amplitude, self.exponent, self.offset, error)
        return best, float(low), float(high)


def fit_power_law(sizes: Sequence[int], errors: Sequence[float]) -> PowerLaw | None:
    """The law through ``errors``; None of fewer than two different sizes, or errors that are zero.

    Points whose error is not finite do not count.
    """
    n, found = np.asarray(sizes, dtype=float), np.asarray(errors, dtype=float)
    kept = np.isfinite(found) & (found > 0)
    n, found = n[kept], found[kept]
    if len(np.unique(n)) < 2:
        return None
    plain, scatter = _fit(n, found, _OFFSETS[:1])
    best, with_offset = plain, False
    if len(n) >= _FEWEST_FOR_OFFSET:
        offset, smaller = _fit(n, found, _OFFSETS)
        with_offset = _criterion(smaller, len(n), 3) < _criterion(scatter, len(n), 2)
        best = offset if with_offset else plain
    generator = np.random.default_rng(0)
    freedom = max(len(n) - (3 if with_offset else 2), 1)
    curve = best[0] * n ** -best[1] + best[2]
    spread = math.sqrt(float(((np.log(found) - np.log(curve)) ** 2).sum()) / freedom)
    noise = generator.normal(0.0, max(spread, _LEAST_SCATTER), (_DRAWS, len(n)))
    grid = _OFFSETS if with_offset else _OFFSETS[:1]
    draws = np.array([_fit(n, curve * np.exp(row), grid)[0] for row in noise])
    low, high = np.percentile(draws[:, 1], _INTERVAL)
    return PowerLaw(*best, (float(low), float(high)), draws)


def _fit(n: Float, errors: Float, offsets: Float) -> tuple[tuple[float, float, float], float]:
    """Amplitude, exponent and offset with the least squares of logarithms, and these squares."""
    found: list[tuple[float, tuple[float, float, float]]] = []
    x = np.stack([np.ones_like(n), -np.log(n)], axis=1)
    for share in offsets:
        c = float(share * errors.min())
        y = np.log(errors - c)
        (log_a, b), *_ = np.linalg.lstsq(x, y, rcond=None)
        curve = np.exp(log_a) * n**-b + c
        squares = float(((np.log(errors) - np.log(curve)) ** 2).sum())
        found.append((squares, (float(np.exp(log_a)), float(b), c)))
    squares, law = min(found)
    return law, squares


def _criterion(squares: float, n: int, parameters: int) -> float:
    """Akaike's criterion, corrected for few points; of equal laws the simpler one is lower."""
    k = parameters + 1  # and the scatter
    if n - k - 1 <= 0:
        return math.inf
    return n * math.log(max(squares, 1e-12) / n) + 2.0 * k + 2.0 * k * (k + 1) / (n - k - 1)


def _needed(amplitude: float, exponent: float, offset: float, error: float) -> float:
    if error <= offset or exponent <= 0.0:
        return math.inf
    try:
        return float(((error - offset) / amplitude) ** (-1.0 / exponent))
    except OverflowError:
        return math.inf

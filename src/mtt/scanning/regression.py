"""How energies change with the work that forces or stresses say: a slope and its certainty."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from mtt.scanning.structures import Float

FEWEST = 10  # steps that a statement needs
_SURE = 0.8  # what a correlation must be at least, so that a slope means something
_MAD = 1.4826  # from median of deviations to standard deviation


class Fit(NamedTuple):
    """How energies change with the work that labels say, over ``n`` steps."""

    slope: float  # of labels with the right sign and unit: 1
    correlation: float  # of energies and work; its sign is that of the slope
    n: int

    @property
    def r2(self) -> float:
        return self.correlation**2

    @property
    def is_sure(self) -> bool:
        return self.weight >= np.arctanh(_SURE)

    @property
    def weight(self) -> float:
        """What the correlation is at least, by Fisher's transformation: few steps prove little."""
        if self.n < FEWEST:
            return 0.0
        bounded = min(abs(self.correlation), 1 - 1e-12)
        return float(np.arctanh(bounded) - 2.0 / np.sqrt(self.n - 3))


def fit(change: Float, work: Float, other: Float) -> Fit:
    """The slope through the origin; steps far off it are left out once.

    It is the ratio of sizes, which noise biases least: work has noise as well as energies.

    :param other: work of another kind, which is fitted along and taken off.
    """
    keep = np.ones(len(work), dtype=bool)
    result = Fit(0.0, 0.0, 0)
    for _ in range(2):
        x, y, z = work[keep], change[keep], other[keep]
        if len(x) < FEWEST:
            break
        if z.any():
            both = np.linalg.lstsq(np.stack([x, z], axis=1), y, rcond=None)[0]
            y = y - both[1] * z
        size = float(np.sqrt((x @ x) * (y @ y)))
        if size == 0.0:
            break
        correlation = float(x @ y) / size
        result = Fit(float(np.sign(correlation) * np.sqrt((y @ y) / (x @ x))), correlation, len(x))
        rest = np.abs(y - result.slope * x)
        keep[keep] = rest <= max(8.0 * _MAD * float(np.median(rest)), 1e-12)
    return result


def best(fits: Iterable[Fit]) -> Fit:
    """The one that proves most."""
    return max(fits, key=lambda one: one.weight, default=Fit(0.0, 0.0, 0))

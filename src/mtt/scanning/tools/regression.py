"""Energy changes against the work of forces or stresses: a slope and its certainty."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtt.scanning.tools.structures import Float, Mask

FEWEST = 10  # steps that a statement needs
_SURE = 0.8  # what a correlation must be at least, so that a slope means something
_MAD = 1.4826  # from median of deviations to standard deviation


class Fit(NamedTuple):
    """Energy changes against the work of the labels, over ``n`` steps."""

    slope: float  # of labels with the right sign and unit: 1
    correlation: float  # of energies and work; its sign is that of the slope
    n: int
    independent: int | None = None  # of the steps; None: all

    @property
    def r2(self) -> float:
        return self.correlation**2

    @property
    def is_sure(self) -> bool:
        return bool(self.weight >= np.arctanh(_SURE))

    @property
    def weight(self) -> float:
        """A lower bound of the correlation, by Fisher's transformation: few steps prove little."""
        if self.n < FEWEST:
            return 0.0
        bounded = min(abs(self.correlation), 1 - 1e-12)
        free = (self.n if self.independent is None else self.independent) - 3
        return float(np.arctanh(bounded) - 2.0 / np.sqrt(free)) if free > 0 else 0.0


def fit(
    change: Float, work: Float, other: Float, independent: int | None = None, *, trim: bool = True
) -> Fit:
    """The slope through the origin; steps far off it are left out once.

    It is the ratio of sizes, which noise biases least: work has noise as well as energies.

    :param other: [m] or [m, k] work of other kinds, which is fitted along and taken off.
    :param independent: how many of the steps are independent; all of them by default.
    :param trim: leave steps out.
    """
    return fit_and_rest(change, work, other, independent, trim=trim)[0]


def fit_and_rest(
    change: Float, work: Float, other: Float, independent: int | None = None, *, trim: bool = True
) -> tuple[Fit, Mask]:
    """Like :func:`fit`, and also return [m] which steps were left out."""
    other = other[:, None] if other.ndim == 1 else other
    keep = np.ones(len(work), dtype=bool)
    used = keep.copy()
    result = Fit(0.0, 0.0, 0)
    for _ in range(1 + trim):
        x, y, z = work[keep], change[keep], other[keep]
        if len(x) < FEWEST:
            break
        if z.any():
            both = np.linalg.lstsq(np.concatenate([x[:, None], z], axis=1), y, rcond=None)[0]
            y = y - z @ both[1:]
        size = float(np.sqrt((x @ x) * (y @ y)))
        if size == 0.0:
            break
        correlation = float(x @ y) / size
        slope = float(np.sign(correlation) * np.sqrt((y @ y) / (x @ x)))
        result, used = Fit(slope, correlation, len(x), independent), keep.copy()
        rest = np.abs(y - result.slope * x)
        keep[keep] = rest <= max(8.0 * _MAD * float(np.median(rest)), 1e-12)
    return result, ~used

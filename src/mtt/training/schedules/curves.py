"""How the learning rate falls after the warm-up."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Constant:
    """The peak, always."""

    def __call__(self, step: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Cosine:
    """Half a cosine down to ``low`` (Loshchilov and Hutter, ICLR 2017).

    :param span: steps until the end.
    """

    span: int
    low: float

    def __call__(self, step: int) -> float:
        progress = min(1.0, step / max(1, self.span))
        return self.low + (1.0 - self.low) * 0.5 * (1.0 + math.cos(math.pi * progress))


@dataclass(frozen=True)
class Linear:
    """A straight line down to ``low``, which is reached after ``span`` steps."""

    span: int
    low: float

    def __call__(self, step: int) -> float:
        return 1.0 - (1.0 - self.low) * min(1.0, step / max(1, self.span))


@dataclass(frozen=True)
class Exponential:
    """``factor`` times as much after every ``span`` steps, changing at every step.

    :param low: never less than this.
    """

    factor: float
    span: int
    low: float

    def __call__(self, step: int) -> float:
        return max(self.low, float(self.factor ** (step / max(1, self.span))))


@dataclass(frozen=True)
class Drops:
    """``factor`` times as much after every ``every`` steps, all at once.

    :param begin: steps of the warm-up, which count too: drops are at whole epochs of the stage.
    :param low: never less than this.
    """

    factor: float
    every: int
    begin: int
    low: float

    def __call__(self, step: int) -> float:
        return max(self.low, float(self.factor ** ((step + self.begin) // self.every)))


@dataclass(frozen=True)
class StableDecay:
    """The peak until ``stable`` steps are done, then down to ``low`` within ``span`` steps.

    :param shape: of the fall by progress p: ``linear`` 1 - p, ``sqrt`` 1 - √p (Hägele et al.,
        NeurIPS 2024), or ``cosine``.
    """

    stable: int
    span: int
    shape: str
    low: float

    def __call__(self, step: int) -> float:
        progress = min(1.0, max(0, step - self.stable) / max(1, self.span))
        if self.shape == "linear":
            part = 1.0 - progress
        elif self.shape == "sqrt":
            part = 1.0 - math.sqrt(progress)
        else:
            part = 0.5 * (1.0 + math.cos(math.pi * progress))
        return self.low + (1.0 - self.low) * part


@dataclass(frozen=True)
class OneCycle:
    """Up to the peak, and down to far below the start (Smith and Topin, 2018).

    As torch's ``OneCycleLR``: from ``1 / div_factor`` to 1 over the first ``pct_start`` of
    ``total`` steps, then to ``1 / (div_factor * final_div_factor)`` at the last one.

    :param anneal: ``cos`` or ``linear``, for both parts.
    """

    total: int
    pct_start: float
    div_factor: float
    final_div_factor: float
    anneal: str

    def __call__(self, step: int) -> float:
        start = 1.0 / self.div_factor
        peak, last = self.pct_start * self.total - 1.0, self.total - 1.0
        if step <= peak:
            return self._between(start, 1.0, step / peak if peak > 0 else 1.0)
        progress = min(1.0, (step - peak) / max(last - peak, 1e-9))
        return self._between(1.0, start / self.final_div_factor, progress)

    def _between(self, begin: float, end: float, progress: float) -> float:
        if self.anneal == "linear":
            return begin + (end - begin) * progress
        return end + (begin - end) * 0.5 * (1.0 + math.cos(math.pi * progress))

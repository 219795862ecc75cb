"""Weights of loss terms that change from epoch to epoch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WeightSchedule:
    """The weight of a term by epochs completed within the stage.

    :param epochs: ascending, the first is 0.
    :param weights: weight from each of these epochs on.
    :param linear: straight lines from one epoch of the list to the next, instead of steps.
    """

    epochs: tuple[int, ...]
    weights: tuple[float, ...]
    linear: bool = False

    @classmethod
    def of(cls, option: float | Mapping[Any, Any]) -> WeightSchedule:
        """Parse a checked option: ``25.0``, or ``{0: 1.0, 100: 25.0, interpolation: linear}``."""
        if not isinstance(option, Mapping):
            return cls((0,), (float(option),))
        knots = {int(key): float(option[key]) for key in option if key != "interpolation"}
        epochs = tuple(sorted(knots))
        linear = option.get("interpolation") == "linear"
        return cls(epochs, tuple(knots[epoch] for epoch in epochs), linear)

    @property
    def is_constant(self) -> bool:
        return len(set(self.weights)) == 1

    def at(self, epoch: int) -> float:
        """The weight in the epoch after ``epoch`` completed ones; after the last, the last."""
        k = bisect_right(self.epochs, epoch) - 1
        if not self.linear or k == len(self.epochs) - 1:
            return self.weights[k]
        (start, end), (one, other) = self.epochs[k : k + 2], self.weights[k : k + 2]
        return one + (other - one) * (epoch - start) / (end - start)

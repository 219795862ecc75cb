"""Learning rates as pure functions of the optimizer step: nothing to save, nothing to restore."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class WarmupCosine:
    """Linear warm-up, then half a cosine down to 0 (Loshchilov and Hutter, ICLR 2017).

    :param peak: the largest learning rate.
    :param total: optimizer steps of the whole training.
    :param warmup_fraction: part of ``total`` in which the rate rises, in [0, 1].
    """

    peak: float
    total: int
    warmup_fraction: float

    def __call__(self, step: int) -> float:
        """Learning rate of the optimizer step number ``step``, counted from 0.

        The first step of a warm-up has a rate above 0, its last one the peak.
        """
        warmup = int(self.warmup_fraction * self.total)
        if step < warmup:
            return self.peak * (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, self.total - warmup))
        return self.peak * 0.5 * (1.0 + math.cos(math.pi * progress))

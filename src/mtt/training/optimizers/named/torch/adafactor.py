"""second moments of rows and columns, little memory (Shazeer and Stern, ICML 2018)."""

from __future__ import annotations

from torch import optim

from mtt.training.optimizers.kind import OptimizerKind

OPTIMIZER = OptimizerKind(optim.Adafactor)

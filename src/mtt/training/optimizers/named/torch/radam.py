"""Adam, rectified: plain momentum in the first steps (Liu et al., ICLR 2020)."""

from __future__ import annotations

from torch import optim

from mtt.training.optimizers.kind import OptimizerKind

OPTIMIZER = OptimizerKind(optim.RAdam)

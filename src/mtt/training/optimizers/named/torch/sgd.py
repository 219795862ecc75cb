"""gradient descent, with momentum if asked."""

from __future__ import annotations

from torch import optim

from mtt.training.optimizers.kind import OptimizerKind

OPTIMIZER = OptimizerKind(optim.SGD)

"""Adam with Nesterov momentum (Dozat, 2016)."""

from __future__ import annotations

from torch import optim

from mtt.training.optimizers.kind import OptimizerKind

OPTIMIZER = OptimizerKind(optim.NAdam)

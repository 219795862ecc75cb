"""Adam (Kingma and Ba, ICLR 2015); `null` without `weight_decay`."""

from __future__ import annotations

from torch import optim

from mtt.training.optimizers.kind import OptimizerKind

OPTIMIZER = OptimizerKind(optim.Adam, shaping=("amsgrad",))

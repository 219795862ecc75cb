"""Adam with decoupled decay (Loshchilov and Hutter, ICLR 2019); `null` with `weight_decay`."""

from __future__ import annotations

from torch import optim

from mtt.training.optimizers.kind import OptimizerKind

OPTIMIZER = OptimizerKind(optim.AdamW, shaping=("amsgrad",), state_of="adam")

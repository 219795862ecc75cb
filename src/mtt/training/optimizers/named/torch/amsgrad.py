"""torch's Adam with second moments that never fall (Reddi et al., ICLR 2018)."""

from __future__ import annotations

from torch import optim

from mtt.training.optimizers.kind import OptimizerKind

OPTIMIZER = OptimizerKind(optim.Adam, fixed={"amsgrad": True})

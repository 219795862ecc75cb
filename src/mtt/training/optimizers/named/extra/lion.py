"""signs of momentum (Chen et al., NeurIPS 2023)."""

from __future__ import annotations

from mtt.training.optimizers.kind import OptimizerKind

OPTIMIZER = OptimizerKind(extra="Lion")

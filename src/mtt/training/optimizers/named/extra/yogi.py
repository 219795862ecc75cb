"""second moments that change slowly (Zaheer et al., NeurIPS 2018)."""

from __future__ import annotations

from mtt.training.optimizers.kind import OptimizerKind

OPTIMIZER = OptimizerKind(extra="Yogi")

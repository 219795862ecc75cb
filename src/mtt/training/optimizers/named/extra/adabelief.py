"""steps by the belief in gradients (Zhuang et al., NeurIPS 2020)."""

from __future__ import annotations

from mtt.training.optimizers.kind import OptimizerKind

OPTIMIZER = OptimizerKind(extra="AdaBelief", shaping=("ams_bound",))

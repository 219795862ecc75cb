"""gradient descent with averaged weights in place of a schedule (Defazio et al., NeurIPS 2024)."""

from __future__ import annotations

from mtt.training.optimizers.kind import OptimizerKind

OPTIMIZER = OptimizerKind(
    extra="ScheduleFreeSGD",
    # the average of the weights takes the place of a falling learning rate
    sets={"scheduler": "constant"},
)

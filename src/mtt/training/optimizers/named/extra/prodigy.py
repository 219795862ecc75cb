"""finds the learning rate itself (Mishchenko and Defazio, ICML 2024)."""

from __future__ import annotations

from mtt.training.optimizers.kind import OptimizerKind

OPTIMIZER = OptimizerKind(
    extra="Prodigy",
    rates=False,  # one distance estimate, and so one learning rate, for all parameters
    sets={"learning_rate": 1.0},  # it finds the learning rate itself; this is a factor
)

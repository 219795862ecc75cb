"""quasi-Newton with strong-Wolfe line search, for few parameters and large batches."""

from __future__ import annotations

from torch import optim

from mtt.training.optimizers.kind import OptimizerKind

OPTIMIZER = OptimizerKind(
    optim.LBFGS,
    defaults={"line_search_fn": "strong_wolfe"},
    decay="",
    grouped=False,
    rates=False,
    # the line search finds the length of the step, in the gradient as it is
    sets={
        "learning_rate": 1.0,
        "scheduler": "constant",
        "warmup_fraction": 0.0,
        "grad_clip_norm": None,
    },
)

"""Options that go with an optimizer."""

from __future__ import annotations

import logging
from typing import Any

from mtt.options.training import TrainingOptions

logger = logging.getLogger(__name__)

PRESETS: dict[str, dict[str, Any]] = {
    # mlip's recipe: warm-up from, to and annealing at the same rate unless told otherwise
    "mlip": {
        "learning_rate": 0.01,
        "scheduler": {
            "name": "linear",
            "warmup_steps": 4000,
            "warmup_from": 1.0,
            "steps": 360_000,
            "min_factor": 1.0,
        },
        "grad_clip_norm": 500.0,
        "ema": {"decay": 0.99},
    },
    # the line search finds the length of the step, in the gradient as it is
    "lbfgs": {
        "learning_rate": 1.0,
        "scheduler": "constant",
        "warmup_fraction": 0.0,
        "grad_clip_norm": None,
    },
    # it finds the learning rate itself; this is a factor
    "prodigy": {"learning_rate": 1.0},
    # the average of the weights takes the place of a falling learning rate
    "schedulefree_adamw": {"scheduler": "constant"},
    "schedulefree_sgd": {"scheduler": "constant"},
}
"""Optimizer to what it sets where an option has the platform's default."""


def preset(options: TrainingOptions) -> TrainingOptions:
    """``options`` with those that go with its optimizer.

    Only options with the platform's default are set; whether a user wrote that value out does
    not matter.
    """
    name = "adam" if options.optimizer is None else options.optimizer.name
    defaults = TrainingOptions()
    for key, value in PRESETS.get(name, {}).items():
        if getattr(options, key) == getattr(defaults, key):
            options = options.having(**{key: value})
            logger.info("optimizer %s: %s is %s", name, key, value)
    return options

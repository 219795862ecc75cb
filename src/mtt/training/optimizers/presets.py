"""Options that go with an optimizer."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

from mtt.training.options.defaults import default_hypers
from mtt.training.options.named_options import name_and_options

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


def preset(hypers: Mapping[str, Any]) -> dict[str, Any]:
    """``hypers`` with the options that go with ``hypers["optimizer"]``.

    Only options with the value of the platform's ``default-hypers.yaml`` are set; whether a
    user wrote that value out does not matter.
    """
    result, defaults = dict(hypers), default_hypers()
    name, _ = name_and_options(hypers["optimizer"] or "adam")
    for key, value in PRESETS.get(name, {}).items():
        if hypers[key] == defaults[key]:
            result[key] = copy.deepcopy(value)
            logger.info("optimizer %s: %s is %s", name, key, value)
    return result

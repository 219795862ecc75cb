"""Options that go with an optimizer."""

from __future__ import annotations

import logging

from mtt.discovery import OPTIMIZERS
from mtt.options.training import TrainingOptions
from mtt.training.optimizers.kind import WHERE, OptimizerKind

logger = logging.getLogger(__name__)


def preset(options: TrainingOptions) -> TrainingOptions:
    """``options`` with those that go with its optimizer.

    Only options with the platform's default are set; whether a user wrote that value out does
    not matter.

    :raises ConfigError: there is no such optimizer.
    """
    name = "adam" if options.optimizer is None else options.optimizer.name
    defaults = TrainingOptions()
    for key, value in OPTIMIZERS.load(name, OptimizerKind, WHERE).sets.items():
        if getattr(options, key) == getattr(defaults, key):
            options = options.having(**{key: value})
            logger.info("optimizer %s: %s is %s", name, key, value)
    return options

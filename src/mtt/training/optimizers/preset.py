"""Options that go with an optimizer."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

from mtt.discovery import OPTIMIZERS
from mtt.training.optimizers.kind import WHERE, OptimizerKind
from mtt.training.options.defaults import default_hypers
from mtt.training.options.named_options import name_and_options

logger = logging.getLogger(__name__)


def preset(hypers: Mapping[str, Any]) -> dict[str, Any]:
    """``hypers`` with the options that go with ``hypers["optimizer"]``.

    Only options with the value of the platform's ``default-hypers.yaml`` are set; whether a
    user wrote that value out does not matter.

    :raises ConfigError: there is no such optimizer.
    """
    result, defaults = dict(hypers), default_hypers()
    name, _ = name_and_options(hypers["optimizer"] or "adam")
    for key, value in OPTIMIZERS.load(name, OptimizerKind, WHERE).sets.items():
        if hypers[key] == defaults[key]:
            result[key] = copy.deepcopy(value)
            logger.info("optimizer %s: %s is %s", name, key, value)
    return result

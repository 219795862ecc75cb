"""The training options, each defined once: type, default, description, constraint, and when a
changed value acts on a restart.

``TrainingOptions`` is what the engine reads; ``parse`` makes it from a mapping. The stored schema
and defaults, ``training/schema-hypers.json`` and ``training/default-hypers.yaml``, are written by
``python -m mtt.training.stored_options``. Imports no torch.
"""

from __future__ import annotations

from mtt.options.training.baselines import BaselineOptions
from mtt.options.training.finetune import FinetuneOptions
from mtt.options.training.loss import LossOptions
from mtt.options.training.named import NamedChoice
from mtt.options.training.parse import SECTION, find_faults, parse
from mtt.options.training.prefit import PrefitOptions
from mtt.options.training.stopping import EarlyStoppingOptions
from mtt.options.training.weights import EmaOptions
from mtt.options.training.whole import StageOptions, TrainingOptions

__all__ = [
    "SECTION",
    "BaselineOptions",
    "EarlyStoppingOptions",
    "EmaOptions",
    "FinetuneOptions",
    "LossOptions",
    "NamedChoice",
    "PrefitOptions",
    "StageOptions",
    "TrainingOptions",
    "find_faults",
    "parse",
]

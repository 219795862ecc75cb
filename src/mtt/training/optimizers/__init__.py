"""Optimizers by name, over groups of parameters."""

from mtt.training.optimizers.make import averages, make_optimizer, needs_closure
from mtt.training.optimizers.preset import preset
from mtt.training.optimizers.restore import check_optimizer, restore_optimizer
from mtt.training.optimizers.shares import Shares

__all__ = [
    "Shares",
    "averages",
    "check_optimizer",
    "make_optimizer",
    "needs_closure",
    "preset",
    "restore_optimizer",
]

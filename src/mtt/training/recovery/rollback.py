"""Going back to the last good state of a training, with a lower learning rate."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from mtt.ranks import Ranks
from mtt.training.numerics.random_state import restore_rng, rng_state
from mtt.training.stage import Stage
from mtt.training.state import TrainingState

if TYPE_CHECKING:
    from mtt.mlip import MLIPModel

LIMIT = 5
"""Rollbacks of one stage; what 1/32 of the learning rate does not mend has another cause."""

_COUNTS = ("batch", "epoch_steps", "step", "meter")


def factor(rollbacks: int) -> float:
    """Factor of the learning rate for the rest of the stage: each rollback halves it."""
    return 0.5**rollbacks


def remember(state: TrainingState, stage: Stage, model: MLIPModel, ranks: Ranks) -> None:
    """Keep a copy of all that a step changes; ``best`` and ``history`` it does not."""
    living = {
        "model": model.state_dict(),
        "parts": stage.state_dict(),
        "rng": rng_state(model.device, ranks),
        **{name: getattr(state, name) for name in _COUNTS},
    }
    state.good = copy.deepcopy(living)


def go_back(state: TrainingState, stage: Stage, model: MLIPModel, ranks: Ranks) -> None:
    """Make everything as it was when it was remembered, and count the rollback."""
    # once more it may have to be gone back to: what runs on must share no tensor with it
    good = copy.deepcopy(state.good)
    model.load_state_dict(good["model"])
    stage.load_state_dict(good["parts"])
    restore_rng(good["rng"], model.device, ranks)
    for name in _COUNTS:
        setattr(state, name, good[name])
    state.rollbacks += 1

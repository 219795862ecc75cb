"""What a resumed training keeps of its checkpoint, and what it cannot keep."""

from __future__ import annotations

import hashlib
import logging

import torch

from mtt.errors import ConfigError, Problem
from mtt.options.training import SECTION, TrainingOptions
from mtt.training.setup import TrainingSetup
from mtt.training.stage import Stage
from mtt.training.state import TrainingState

logger = logging.getLogger(__name__)


def check_resumable(
    state: TrainingState, options: TrainingOptions, known: torch.dtype, dtype: torch.dtype
) -> None:
    """Whether a training that has begun can be resumed: its stage is there, and its precision.

    :param known: of the weights in the checkpoint.
    :param dtype: to resume in; moments of another one would be rounded, or fit no weight.
    :raises ConfigError: it cannot.
    """
    problems = []
    n_stages = len(options.stages or (options,))
    if state.stage >= n_stages:
        what = f"the checkpoint is in stage {state.stage + 1}, the options have {n_stages}"
        hint = "restart with the stages that the run began with"
        problems.append(Problem(what, f"{SECTION}.stages", hint))
    if state.has_begun and known != dtype:
        what = f"the run trains in {8 * known.itemsize} bits, not in {8 * dtype.itemsize}"
        hint = f"set base_precision: {8 * known.itemsize}, or fine-tune instead of restarting"
        problems.append(Problem(what, "base_precision", hint))
    if problems:
        raise ConfigError.collect(problems)


def forget_best_of_other_rule(state: TrainingState, setup: TrainingSetup) -> None:
    """Forget the best epoch where it was chosen by another rule.

    :raises ConfigError: no epoch is left to be the best by the new one.
    """
    best = state.best
    if best is None or setup.best_rule.comparable(best):
        return
    if state.epoch >= sum(plan.num_epochs for plan in setup.plans):
        raise ConfigError(
            f"the training is over, and epoch {best.epoch} is its best by another metric or loss",
            where=f"{SECTION}.best_model_metric",
            hint="put it back, or train for more epochs",
        )
    logger.warning(
        "epoch %d was best by %s; best_model_metric or loss have changed since, "
        "so the search for the best starts again",
        best.epoch,
        best.metric,
    )
    state.best = None
    state.parts.pop("early_stopping", None)


def restart_epoch_if_changed(state: TrainingState, seed: int, stage: Stage) -> None:
    """Repeat the epoch in which a training was stopped where its batches or terms have changed."""
    loader, loss = stage.training, stage.loss.at(state.epoch - state.stage_start)
    epoch = (
        f"{seed} {len(loader.dataset)} {loader.batching} {loader.augmentation} "
        f"{stage.batches_per_step} {loss.terms} {stage.plan.options.extended_metrics}"
    )
    key = hashlib.sha256(epoch.encode()).hexdigest()
    if state.batch and state.epoch_key != key:
        logger.warning(
            "the data, the batches or the loss have changed since the stop in epoch %d; "
            "it is repeated from its start",
            state.epoch + 1,
        )
        state.begin_epoch()
    state.epoch_key = key

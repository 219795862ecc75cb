"""Which epoch is best, and what ends a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mtt.options.training.option import option


@dataclass(frozen=True)
class EarlyStoppingOptions:
    """When a training that makes no progress ends."""

    patience: int = option(
        description="Epochs without progress after which the training ends.", minimum=1
    )
    min_delta: float = option(
        0.0,
        "Smallest decrease that counts as an improvement; in the unit of the metric.",
        minimum=0,
    )
    start: float = option(
        0.0, "Fraction of the epochs after which the count begins.", minimum=0, maximum=1
    )


@dataclass(frozen=True)
class StoppingOptions:
    """Options of the choice of the best epoch and of an early end of the training."""

    best_model_metric: str = option(
        "loss",
        "The best epoch has the lowest value of this metric: loss, rmse_prod or mae_prod (product "
        "of the errors of all targets and derivatives), or one error such as 'forces RMSE', on "
        "all validation structures; 'bulk forces RMSE' is only on the validation set bulk.",
        acts="from here",
    )
    extended_metrics: bool = option(
        False,
        "Report more errors: forces per element and component, stress per component, the mean "
        "cosine between predicted and reference forces, the largest error of every quantity.",
        acts="from here",
    )
    early_stopping: EarlyStoppingOptions | None = option(
        None,
        "End the training when best_model_metric has not fallen for a while; null: never.",
        acts="from here",
        in_stages=True,
    )
    max_time: str | float | None = option(
        None,
        "Stop and save after this time: seconds, or MM:SS, HH:MM:SS, D-HH:MM:SS. A restart may "
        "take the same time again.",
        acts="any time",
    )
    rank_timeout: str | float = option(
        600.0,
        "Of several processes: end all of them if one has not answered for this time, in the form "
        "of max_time; where each of them is then is printed. What one process does alone and "
        "without a sign of life (compiling, reading from a slow disk) has to be shorter.",
        acts="any time",
    )
    on_nonfinite: Literal["stop", "skip", "rollback"] = option(
        "stop",
        "What to do if the loss of a batch or its gradient is not finite; such a batch never "
        "changes the weights. stop: save and end the training with a message. skip: continue with "
        "the next batch, at most 10 times in a row. rollback: return to the start of the epoch, "
        "or to the last checkpoint within it, and continue with half the learning rate, at most 5 "
        "times in a stage.",
        acts="from here",
    )

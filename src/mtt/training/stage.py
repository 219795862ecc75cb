"""One stage of a training: its own optimizer, schedule, loss and averages."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtt.training.averaging.kind import Average
from mtt.training.losses.loss import Loss
from mtt.training.plan import StagePlan
from mtt.training.schedules import Schedule
from mtt.training.step import Step
from mtt.training.stopping.early_stopping import EarlyStopping

if TYPE_CHECKING:
    from mtt.data import Loader
    from mtt.mlip import MLIPModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stage:
    """Everything that a stage needs, ready made.

    :param batches_per_step: of gradient accumulation.
    :param steps_per_epoch: as the schedule counts; batches by atoms can be more or fewer.
    :param average: whose weights are validated; None: the model's own.
    """

    plan: StagePlan
    model: MLIPModel
    training: Loader
    loss: Loss
    step: Step
    schedule: Schedule
    average: Average | None
    early_stopping: EarlyStopping | None
    batches_per_step: int
    steps_per_epoch: int

    @property
    def evaluated(self) -> MLIPModel:
        """The model that is validated, and whose weights may be the best."""
        return self.model if self.average is None else self.average.model

    def is_over(self, epochs: int) -> bool:
        """Whether the stage ends after so many of its epochs."""
        stopped = self.early_stopping is not None and self.early_stopping.stopped
        return epochs >= self.plan.num_epochs or stopped

    def updated(self) -> None:
        """An optimizer step was taken."""
        if self.average is not None:
            self.average.update()

    def finish(self) -> None:
        """Leave in the model the weights that the stage ends with."""
        if self.average is not None:
            self.average.finish()

    def state_dict(self) -> dict[str, Any]:
        """All that changes during the stage, but the model: tensors and plain types.

        Complete on every rank; all call it together.
        """
        parts: dict[str, Any] = {
            "optimizer": self.step.shares.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        if self.average is not None:
            parts["average"] = self.average.state_dict()
        if self.step.scaler is not None:
            parts["scaler"] = self.step.scaler.state_dict()
        if self.early_stopping is not None:
            parts["early_stopping"] = self.early_stopping.state_dict()
        return parts

    def load_state_dict(self, parts: Mapping[str, Any]) -> None:
        """Continue from the parts of :meth:`state_dict`; missing parts keep their initial state.

        :raises TrainingError: they belong to other parameters.
        """
        if "optimizer" in parts:
            self.step.shares.load_state_dict(parts["optimizer"])
        if "schedule" in parts:
            self.schedule.load_state_dict(parts["schedule"])
        if self.average is not None and "average" in parts:
            self.average.load_state_dict(parts["average"])
        elif self.average is not None and parts:
            logger.warning("ema is on since this restart: the average begins with these weights")
        elif "average" in parts:
            logger.warning(
                "ema is off since this restart: the average is dropped, and the weights in "
                "training are validated"
            )
        if self.step.scaler is not None and "scaler" in parts:
            self.step.scaler.load_state_dict(dict(parts["scaler"]))
        if self.early_stopping is not None and "early_stopping" in parts:
            self.early_stopping.load_state_dict(parts["early_stopping"])

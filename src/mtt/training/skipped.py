"""Batches that could not be learnt from, and what the user is told of them."""

from __future__ import annotations

import logging

from mtt.errors import TrainingError
from mtt.training.loss import Loss
from mtt.training.stage import Stage
from mtt.training.state import TrainingState
from mtt.training.step import StepResult

logger = logging.getLogger(__name__)


class Skipped:
    """Those of one epoch.

    :param loss: of the epoch.
    """

    def __init__(self, stage: Stage, loss: Loss) -> None:
        self.loss = loss
        self._stage = stage
        self._fault = ""

    def add(self, result: StepResult, state: TrainingState) -> None:
        """Say why there was no update, and for which structures."""
        if result.fault == "overflow":
            # the search for the largest scale that float16 can hold: nothing is wrong
            logger.debug("epoch %d: the loss scale of float16 is lowered", state.epoch + 1)
            return
        dataset = self._stage.training.dataset
        index = [i for seen in result.seen for i in seen.batch.index.tolist()]
        sources = "; ".join(dataset.source(i) for i in index[:5])
        if len(index) > 5:
            sources += f"; and {len(index) - 5} more"
        where = f"epoch {state.epoch + 1}, step {state.step + 1}"
        if result.fault == "no labels":
            logger.info("%s: a batch without labels is skipped (%s)", where, sources)
            self._fault = f"no labels in any batch ({sources})"
            return
        what = self._stage.step.explain(self.loss, result)
        self._fault = f"{what} is not finite (structures: {sources})"
        logger.warning("%s: %s; the update is skipped", where, self._fault)

    def check(self, state: TrainingState) -> None:
        """At the end of the epoch.

        :raises TrainingError: no step could be taken.
        """
        if state.epoch_steps:
            return
        before = "its batches were skipped before it was stopped" if state.batch else "no batches"
        # with a loss scale alone they may all have been lost to the search for the scale
        if self._fault or not state.batch or self._stage.step.scaler is None:
            raise TrainingError(
                f"epoch {state.epoch + 1} had no step that could be taken: {self._fault or before}",
                hint="look at the data of these structures, or lower learning_rate",
            )

"""Steps that must not change the weights: the message, and how the training continues."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from mtt.errors import TrainingError
from mtt.ranks import Ranks
from mtt.training.losses.loss import Loss
from mtt.training.numerics.nonfinite import named_sources, nonfinite, nonfinite_weights
from mtt.training.options.defaults import SECTION
from mtt.training.recovery.rollback import LIMIT, factor
from mtt.training.stage import Stage
from mtt.training.state import TrainingState
from mtt.training.step import Seen, StepResult

logger = logging.getLogger(__name__)

OnNonfinite = Literal["stop", "skip", "rollback"]

IN_A_ROW = 10
"""Steps that may be skipped one after the other; a training that skips more learns nothing."""

_WHERE = f"{SECTION}.on_nonfinite"
_ADVICE = "look at these structures; a lower learning_rate or amp: null often helps"


class NonFinite(TrainingError):
    """A loss or its gradient is not finite, and the training must end."""


class Faults:
    """Those of one epoch.

    :param loss: of the epoch.
    :param on_nonfinite: what to do where a loss or a gradient is not finite.
    :param ranks: all of them ask the same, and find the same.
    """

    def __init__(self, stage: Stage, loss: Loss, on_nonfinite: OnNonfinite, ranks: Ranks) -> None:
        self._ranks = ranks
        self._loss = loss
        self._stage = stage
        self._on_nonfinite = on_nonfinite
        self._last = ""

    def add(self, result: StepResult, state: TrainingState) -> bool:
        """Say why there was no update, and for which structures; whether to go back.

        :raises NonFinite: the training must stop; the weights are those before the step.
        """
        if result.fault == "overflow":
            # the search for the largest scale that float16 can hold: nothing is wrong
            logger.debug("epoch %d: the loss scale of float16 is lowered", state.epoch + 1)
            return False
        where = f"epoch {state.epoch + 1}, step {state.step + 1}"
        if result.fault == "no labels":
            sources = self._sources(result.seen)
            logger.info("%s: a batch without labels is skipped (%s)", where, sources)
            self._last = f"no labels in any batch ({sources})"
            return False
        lost = nonfinite_weights(self._stage.model)
        if result.fault == "line search":
            what = "the line search met weights of which the loss is not finite"
        elif lost:
            what = lost
        else:
            what = f"{self._stage.step.explain(self._loss, result)} is not finite"
        self._last = f"{what} (structures: {self._sources(result.seen)})"
        # the step of another optimizer would be finite: nothing to stop for, or to undo
        skipped = result.fault == "line search" or (self._on_nonfinite == "skip" and not lost)
        if skipped:
            self._skip(where, state)
        else:
            self._go_back(where, state)
        return not skipped

    def add_weights(self, state: TrainingState) -> bool:
        """Whether to go back at the end of an epoch, since the last step has spoilt the weights.

        :raises NonFinite: the training must stop.
        """
        lost = nonfinite_weights(self._stage.model)
        if lost:
            self._last = lost
            self._go_back(f"epoch {state.epoch + 1}, step {state.step}", state)
        return bool(lost)

    def check(self, state: TrainingState) -> None:
        """At the end of the epoch.

        :raises TrainingError: no step could be taken.
        """
        if state.epoch_steps:
            return
        before = "its batches were skipped before it was stopped" if state.batch else "no batches"
        # with a loss scale alone they may all have been lost to the search for the scale
        if self._last or not state.batch or self._stage.step.scaler is None:
            raise TrainingError(
                f"epoch {state.epoch + 1} had no step that could be taken: {self._last or before}",
                hint="look at the data of these structures, or lower learning_rate",
            )

    def _skip(self, where: str, state: TrainingState) -> None:
        if state.skipped_in_a_row >= IN_A_ROW:
            what = f"{where}: {self._last}; the {IN_A_ROW} steps before it were skipped too"
            raise NonFinite(what, where=_WHERE, hint=_ADVICE)
        state.skipped += 1
        state.skipped_in_a_row += 1
        logger.warning("%s: %s; the update is skipped", where, self._last)

    def _go_back(self, where: str, state: TrainingState) -> None:
        if self._on_nonfinite != "rollback":
            hint = f"{_ADVICE}; with rollback, or skip, a restart continues"
            raise NonFinite(f"{where}: {self._last}; no update was made", where=_WHERE, hint=hint)
        if state.rollbacks >= LIMIT:
            what = f"{where}: {self._last}; {LIMIT} rollbacks did not help"
            raise NonFinite(what, where=_WHERE, hint=_ADVICE)
        logger.warning(
            "%s: %s; back to batch %d of the epoch, with %g of the learning rate (rollback %d of "
            "%d)",
            where,
            self._last,
            state.good["batch"],
            factor(state.rollbacks + 1),
            state.rollbacks + 1,
            LIMIT,
        )
        entry = {"epoch": state.epoch + 1, "step": state.step + 1, "reason": self._last}
        state.origin.setdefault("rollbacks", []).append(entry)

    def _sources(self, seen: Sequence[Seen]) -> str:
        """Structures whose predictions are not finite; all, where every one is finite."""
        targets = self._stage.model.dataset_info.targets
        own = [i for one in seen for i in nonfinite(one.predictions, one.batch, targets)]
        all_own = [i for one in seen for i in one.batch.index.tolist()]
        found = self._ranks.gather((own, all_own))
        bad = [i for some, _ in found for i in some]
        index = bad or [i for _, some in found for i in some]
        return named_sources(index, self._stage.training.dataset)

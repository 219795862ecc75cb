"""The steps of one epoch: taken, left out or taken back, and saved in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtt.data.batching.largest_batch import describe
from mtt.data.memory import OutOfMemory, Remedy, telling_lack
from mtt.ranks import RankError, Ranks
from mtt.training.build import smaller_batches
from mtt.training.checkpoints import Checkpoints
from mtt.training.losses.loss import Loss
from mtt.training.numerics.nonfinite import nonfinite_weights
from mtt.training.recovery.faults import Faults, NonFinite, OnNonfinite
from mtt.training.recovery.rollback import factor, go_back, remember
from mtt.training.reporting.events import Events
from mtt.training.reporting.meter import Meter
from mtt.training.reporting.speed import SystemMeter
from mtt.training.stage import Stage
from mtt.training.state import TrainingState
from mtt.training.step import StepResult
from mtt.training.stopping.timing import Due

if TYPE_CHECKING:
    from mtt.data import Batch
    from mtt.mlip import MLIPModel


@dataclass
class Epoch:
    """The training part of the epoch that ``state`` is in.

    :param loss: of this epoch.
    :param make_meter: one that has counted nothing.
    :param after_step: called after every step, with the meter; what it raises ends the training.
    """

    model: MLIPModel
    state: TrainingState
    stage: Stage
    loss: Loss
    make_meter: Callable[[], Meter]
    events: Events
    checkpoints: Checkpoints
    due: Due
    after_step: Callable[[Meter], None]
    on_nonfinite: OnNonfinite
    ranks: Ranks

    def run(self) -> tuple[Meter, SystemMeter]:
        """Take the steps that are left; what they saw, and how fast they went.

        :raises TrainingError: no step could be taken, or there must be no further one.
        """
        state = self.state
        self._faults = Faults(self.stage, self.loss, self.on_nonfinite, self.ranks)
        self._system = SystemMeter(self.model.device, self.ranks)
        if self.on_nonfinite != "rollback":
            state.good = {}
        elif not state.good:
            remember(state, self.stage, self.model, self.ranks)
        while not self._to_the_end():
            go_back(state, self.stage, self.model, self.ranks)
        self._faults.check(state)
        self._system.trained()
        return self._meter, self._system

    def learning_rate(self, step: int = 0) -> float:
        """Learning rate of the next step, or of a later one, counted from it."""
        state, stage = self.state, self.stage
        # by the schedule's count, which batches of other sizes do not upset
        done = (state.epoch - state.stage_start) * stage.steps_per_epoch + state.epoch_steps
        return stage.schedule(max(0, done + step)) * factor(state.rollbacks)

    def _to_the_end(self) -> bool:
        """False where a step says that the training must go back."""
        self._meter = self.make_meter()
        if self.state.meter:
            self._meter.load_state_dict(self.state.meter)
        done = all(self._take(batches) for batches in self._groups())
        return done and not self._faults.add_weights(self.state)

    def _take(self, batches: Sequence[Batch]) -> bool:
        """One optimizer step, and a checkpoint or the end where either is due after it."""
        state, stage = self.state, self.stage
        # ranks share a batch out; one with few structures leaves some ranks without any
        result = self._step([batch for batch in batches if len(batch.index)])
        for batch in batches:
            self._system.add(batch)
        if result.fault:
            try:
                back = self._faults.add(result, state)
            except NonFinite:
                if not nonfinite_weights(self.model):
                    self._save()
                raise
            if back:
                return False
        else:
            state.step += 1
            state.epoch_steps += 1
            state.skipped_in_a_row = 0
            stage.updated()
            norm = result.norm if self.ranks.is_first else None  # one for all of them
            for seen in result.seen:
                self._meter.add(seen.terms, seen.predictions, seen.batch, norm)
                norm = None
            if norm is not None:
                self._meter.add_norm(norm)
        state.batch += len(batches)
        n_batches = stage.training.n_batches(state.epoch)
        self.events("progress", state.epoch + 1, batch=state.batch, n_batches=n_batches)
        due = not result.fault and self.due(state.step, self.ranks)
        if due and self.on_nonfinite == "rollback":
            # a restart from what is saved now must be able to go back as far
            state.meter = self._meter.state_dict()
            remember(state, stage, self.model, self.ranks)
        self.after_step(self._meter)
        if due:
            self._save()
        return True

    def _step(self, batches: Sequence[Batch]) -> StepResult:
        """Take a step; without memory for it everything is saved as it was before, if it can be.

        :raises OutOfMemory: there is none on this rank.
        :raises RankError: there is none on another one.
        """
        state, stage = self.state, self.stage

        def doing() -> str:
            what = describe(batches, stage.training.dataset.source)
            return f"step {state.step + 1} in epoch {state.epoch + 1}, {what}"

        def remedy() -> Remedy:
            return smaller_batches(stage.plan.options, max(len(one.index) for one in batches))

        try:
            with telling_lack(self.model.device, doing, remedy):
                return stage.step(self.loss, batches, self.learning_rate())
        except (OutOfMemory, RankError):
            if not stage.step.updating:
                with suppress(OutOfMemory), telling_lack(self.model.device, str, Remedy):
                    self._save()
            raise

    def _save(self) -> None:
        self.state.meter = self._meter.state_dict()
        self.checkpoints.save_within(self.state.epoch)

    def _groups(self) -> Iterator[list[Batch]]:
        """The batches of the epoch that are not done yet, those of one step together."""
        self.model.train()
        group: list[Batch] = []
        for batch in self.stage.training.epoch(self.state.epoch, start=self.state.batch):
            group.append(batch)
            if len(group) == self.stage.batches_per_step:
                yield group
                group = []
        if group:
            yield group

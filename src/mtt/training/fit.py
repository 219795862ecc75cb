"""The story of a training: epochs of steps, each validated, written down and saved."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import torch

from mtt.errors import TrainingError
from mtt.training.best import BestRule
from mtt.training.checkpoints import Checkpoints
from mtt.training.events import Events
from mtt.training.meter import Meter
from mtt.training.record import Record
from mtt.training.schedules import Schedule
from mtt.training.signals import StopFlag, TrainingInterrupted
from mtt.training.state import Best, TrainingState
from mtt.training.step import Step, StepResult

if TYPE_CHECKING:
    from mtt.data import Batch, Loader
    from mtt.mlip import MLIPModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """Everything that a training needs, ready made; only ``state`` and the model change."""

    model: MLIPModel
    state: TrainingState
    training: Loader
    validation: Loader
    step: Step
    schedule: Schedule
    best_rule: BestRule
    record: Record
    events: Events
    checkpoints: Checkpoints
    stop: StopFlag
    num_epochs: int
    steps_per_epoch: int  # as the schedule counts; batches by atoms can be more or fewer
    log_interval: int
    checkpoint_interval: int

    def run(self) -> None:
        """Train up to ``num_epochs``.

        :raises TrainingInterrupted: a signal came; ``last.ckpt`` is written.
        :raises TrainingError: no step of an epoch, or no validation at all, was finite.
        """
        state = self.state
        self.events(
            "run_start",
            state.epoch,
            num_epochs=self.num_epochs,
            n_batches=self.training.n_batches(state.epoch),
            log_interval=self.log_interval,
            history=tuple(state.history),
            units=self.record.units,
        )
        while state.epoch < self.num_epochs:
            self.run_epoch()
            if state.epoch % self.checkpoint_interval == 0 and state.epoch < self.num_epochs:
                self.checkpoints.save_epoch(state.epoch)
        self.checkpoints.save_last(state.epoch)
        if state.best is None:
            raise TrainingError(
                "the validation was never finite, so no epoch is best",
                hint="look at train.csv; a lower learning_rate often helps",
            )
        self.events(
            "end",
            state.epoch,
            best_epoch=state.best.epoch,
            best_metric=state.best.value,
            metric=self.best_rule.metric,
        )

    def run_epoch(self) -> None:
        """Train, validate, remember the best, write the history."""
        state, started = self.state, time.perf_counter()
        meter = Meter(self.step.loss, self.model.dataset_info, self.model.device)
        if state.meter:
            meter.load_state_dict(state.meter)
        self.train(meter)
        validation = self.validate(meter)
        value = self.best_rule.value(validation)
        learning_rate = self.schedule(self._position() - 1)
        state.close_epoch()
        row = self.record.row(
            state.epoch,
            learning_rate,
            meter.compute(),
            validation,
            time.perf_counter() - started,
        )
        state.history.append(row)
        is_best = self.best_rule.improves(value, state.best)
        if is_best:
            state.best = Best(self.best_rule.identity, state.epoch, value, snapshot(self.model))
            self.checkpoints.save_best(state.epoch)
            self.events("best", state.epoch, metric=self.best_rule.metric, value=value)
        self.events(
            "epoch",
            state.epoch,
            metrics=dict(row),
            units=self.record.units,
            is_best=is_best,
        )

    def train(self, meter: Meter) -> None:
        """The batches of an epoch that are not done yet, one optimizer step each."""
        state, epoch = self.state, self.state.epoch
        n_batches = self.training.n_batches(epoch)
        fault = ""
        self.model.train()
        for batch in self.training.epoch(epoch, start=state.batch):
            result = self.step(batch, self.schedule(self._position()))
            state.batch += 1
            if result.fault:
                fault = self._skipped(result, batch)
            else:
                state.step += 1
                state.epoch_steps += 1
                meter.add(result.terms, result.predictions, batch, result.norm)
            self.events("progress", epoch + 1, batch=state.batch, n_batches=n_batches)
            if self.stop:
                self._interrupt(meter)
        if not state.epoch_steps:
            raise TrainingError(
                f"epoch {epoch + 1} had no step that could be taken: {fault or 'no batches'}",
                hint="look at the data of these structures, or lower learning_rate",
            )

    def validate(self, training: Meter) -> dict[str, float]:
        """Loss and errors on the whole validation set; changes nothing.

        :param training: what is lost if a signal comes meanwhile.
        """
        meter = Meter(self.step.loss, self.model.dataset_info, self.model.device)
        self.model.eval()
        differentiated = any(t.gradients for t in self.model.dataset_info.targets.values())
        for batch in self.validation.epoch(0):
            with torch.set_grad_enabled(differentiated):
                predictions = self.model.predict_targets(batch.graph, create_graph=False)
            terms = self.step.loss(predictions, batch)
            meter.add(terms, predictions, batch)
            if self.stop:
                self._interrupt(training)
        return meter.compute()

    def _position(self) -> int:
        """Optimizer steps by the schedule's count, which batches of other sizes do not upset."""
        state = self.state
        return state.epoch * self.steps_per_epoch + state.epoch_steps

    def _skipped(self, result: StepResult, batch: Batch) -> str:
        """Say why there was no update, and for which structures."""
        dataset, index = self.training.dataset, batch.index.tolist()
        sources = "; ".join(dataset.source(i) for i in index[:5])
        if len(index) > 5:
            sources += f"; and {len(index) - 5} more"
        where = f"epoch {self.state.epoch + 1}, step {self.state.step + 1}"
        if result.fault == "no labels":
            logger.info("%s: a batch without labels is skipped (%s)", where, sources)
            return f"no labels in any batch ({sources})"
        what = f"{self.step.explain(result)} is not finite (structures: {sources})"
        logger.warning("%s: %s; the update is skipped", where, what)
        return what

    def _interrupt(self, meter: Meter) -> NoReturn:
        """Save where we are, within the epoch, and leave."""
        number = self.stop.signal
        assert number is not None
        state = self.state
        state.meter = meter.state_dict()
        self.checkpoints.save_last(state.epoch)
        raise TrainingInterrupted(
            f"stopped by {number.name} in epoch {state.epoch + 1} and saved",
            exit_code=128 + number.value,
            hint="go on with --restart auto",
        )


def snapshot(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A deep copy of all weights and buffers, on the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in model.state_dict().items()}

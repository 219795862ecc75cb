"""The story of a training: stages of epochs of steps, each epoch validated and written down."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from signal import Signals
from typing import TYPE_CHECKING, Any, NoReturn

import torch

from mtt.errors import TrainingError
from mtt.ranks import Ranks
from mtt.stopping import EXIT_CODES, StopFlag
from mtt.training.checkpoints import Checkpoints
from mtt.training.epoch import Epoch
from mtt.training.losses.loss import Loss
from mtt.training.numerics.random_state import restore_rng
from mtt.training.numerics.same_weights import check_same_weights
from mtt.training.plan import StagePlan
from mtt.training.recovery.faults import OnNonfinite
from mtt.training.refit.last_fit import LastFit
from mtt.training.reporting.events import Events
from mtt.training.reporting.history_columns import Record
from mtt.training.reporting.meter import Meter
from mtt.training.reporting.speed import SystemMeter
from mtt.training.scoring.best import BestRule
from mtt.training.scoring.validation import Validation
from mtt.training.stage import Stage
from mtt.training.state import Best, TrainingState
from mtt.training.stopping.timing import MAX_TIME, TIMED, Deadline, Due, TrainingInterrupted

if TYPE_CHECKING:
    from mtt.mlip import MLIPModel

logger = logging.getLogger(__name__)


@dataclass
class Fit:
    """Everything that a training needs, ready made; only ``state`` and the model change.

    :param make_stage: builds a stage afresh, with nothing restored.
    :param ranks: they decide together: when to stop, and which epoch is best.
    :param stage: the one that runs.
    """

    model: MLIPModel
    state: TrainingState
    plans: Sequence[StagePlan]
    make_stage: Callable[[StagePlan], Stage]
    validation: Validation
    best_rule: BestRule
    record: Record
    events: Events
    checkpoints: Checkpoints
    stop: StopFlag
    deadline: Deadline
    due: Due
    follow: Callable[[Stage], None]
    log_interval: int
    checkpoint_interval: int | None
    on_nonfinite: OnNonfinite
    ranks: Ranks
    last_fit: LastFit
    stage: Stage | None = None

    @property
    def num_epochs(self) -> int:
        """Epochs of all stages together."""
        return sum(plan.num_epochs for plan in self.plans)

    def run(self) -> None:
        """Train through all stages.

        :raises TrainingInterrupted: a signal came, or ``max_time`` is over; ``last.ckpt`` is
            written.
        :raises TrainingError: no step of an epoch, or no validation at all, was finite.
        """
        state, announced, start = self.state, False, self.state.epoch
        for plan in self.plans[max(state.stage, 0) :]:
            stage = self.begin(plan)
            if not announced:
                self._announce_start(stage)
                announced = True
            while not stage.is_over(state.epoch - state.stage_start):
                self.run_epoch(stage)
                self._save_epoch()
        if state.epoch == start < self.num_epochs:
            logger.info("already ended early, after epoch %d; nothing to do", start)
        self._refit()
        self.checkpoints.save_last(state.epoch)
        best = state.shown_best
        if best is None:
            raise TrainingError(
                "the validation was never finite, so no epoch is best",
                hint="look at train.csv; a lower learning_rate often helps",
            )
        values = {"best_epoch": best.epoch, "best_metric": best.value}
        refit = state.origin.get("refit")
        self.events("end", state.epoch, **values, metric=self.best_rule.metric, refit=refit)

    def _refit(self) -> None:
        """Fit the baselines of the best weights; what fails there costs no epoch."""
        state = self.state
        if state.best is None:
            return
        try:
            state.refitted, facts = self.last_fit.run(state.best, self._stop_at_the_end)
        except BaseException:
            self.checkpoints.save_last(state.epoch)
            raise
        if facts:
            state.origin["refit"] = facts
        if state.refitted is not None or state.was_refitted:
            refitted = state.refitted is not None
            best = state.refitted or state.best
            self.checkpoints.renew_best(state.epoch, best.value, refitted)

    def begin(self, plan: StagePlan) -> Stage:
        """Build a stage: with its first weights, or where the checkpoint stopped in it."""
        state = self.state
        if plan.number > state.stage:
            if plan.source == "best":
                if state.best is None:
                    raise TrainingError(
                        f"{plan.name} cannot begin with the best weights: the validation was "
                        "never finite",
                        hint="look at train.csv; a lower learning_rate often helps",
                    )
                self.model.load_state_dict(state.best.weights)
            elif self.stage is not None:
                self.stage.finish()
            state.begin_stage(plan.number, plan.name, plan.source)
            if len(self.plans) > 1:
                logger.info(
                    "%s: %d epochs from the %s weights", plan.name, plan.num_epochs, plan.source
                )
        stage = self.make_stage(plan)
        stage.load_state_dict(state.parts)
        if "rng" in state.parts:
            restore_rng(state.parts["rng"], self.model.device, self.ranks)
        state.parts = {}
        self.stage = stage
        return stage

    def run_epoch(self, stage: Stage) -> None:
        """Train, validate, remember the best, write the history."""
        state, started = self.state, time.perf_counter()
        self.follow(stage)
        before, loss = state.batch, stage.loss.at(state.epoch - state.stage_start)
        epoch = self._epoch(stage, loss)
        meter, system = epoch.run()
        check_same_weights([self.model, stage.evaluated], self.ranks, state.epoch + 1)
        # max_time may be shorter than a validation: one that was stopped by it comes to its end
        timed = state.batch > before
        found = self.validation.run(
            stage.evaluated, lambda: self._stop_if_asked(meter, timed=timed)
        )
        # schedules, patience and the choice of the best follow from the same numbers everywhere
        metrics = self.ranks.broadcast(found)
        # of the last step; in an epoch of overflows alone, of the one that is yet to come
        learning_rate = epoch.learning_rate(-1)
        progress = {
            "stage": float(state.stage + 1),
            "skipped steps": float(state.skipped),
            "rollbacks": float(state.rollbacks),
        }
        progress |= {f"weight {term.name}": term.weight for term in loss.terms}
        state.close_epoch()
        seconds = time.perf_counter() - started
        row = self.record.row(
            state.epoch, learning_rate, meter.compute(), metrics, seconds, progress
        )
        state.history.append(row)
        self.events.measured(
            state.epoch, row, self.record.units, system.metrics(), SystemMeter.UNITS
        )
        self.choose(stage, metrics, row)

    def choose(self, stage: Stage, metrics: dict[str, float], row: dict[str, float]) -> None:
        """Decide whether the epoch is the best one, and whether the stage continues."""
        state = self.state
        value = self.best_rule.value(metrics)
        # before anything is saved: a checkpoint of this epoch knows what it led to
        stage.schedule.observe(self.best_rule.with_products(metrics))
        reason = ""
        if stage.early_stopping is not None:
            reason = stage.early_stopping.observe(state.epoch - state.stage_start, value)
        if not math.isfinite(value):
            logger.warning(
                "the validation of epoch %d is %s%s; this epoch is not best",
                state.epoch,
                value,
                self.validation.nonfinite(stage.evaluated),
            )
        is_best = self.best_rule.improves(value, state.best)
        if is_best:
            weights = snapshot(stage.evaluated)
            state.best = Best(self.best_rule.identity, state.epoch, value, weights)
            self.checkpoints.save_best(state.epoch)
            self.events("best", state.epoch, metric=self.best_rule.metric, value=value)
        self.events(
            "epoch",
            state.epoch,
            metrics=dict(row),
            units=self.record.units,
            is_best=is_best,
            metric=self.best_rule.metric,
        )
        if reason:
            logger.info("%s ends early after epoch %d: %s", stage.plan.name, state.epoch, reason)

    def _epoch(self, stage: Stage, loss: Loss) -> Epoch:
        validation, device = self.validation, self.model.device
        return Epoch(
            model=self.model,
            state=self.state,
            stage=stage,
            loss=loss,
            make_meter=lambda: Meter(
                loss, validation.info, device, validation.extended, ranks=self.ranks
            ),
            events=self.events,
            checkpoints=self.checkpoints,
            due=self.due,
            after_step=self._stop_if_asked,
            on_nonfinite=self.on_nonfinite,
            ranks=self.ranks,
        )

    def _announce_start(self, stage: Stage) -> None:
        state = self.state
        self.events(
            "run_start",
            state.epoch,
            num_epochs=self.num_epochs,
            n_batches=stage.training.n_batches(state.epoch),
            log_interval=self.log_interval,
            history=tuple(state.history),
            units=self.record.units,
        )

    def _save_epoch(self) -> None:
        epoch, interval = self.state.epoch, self.checkpoint_interval
        if interval is not None and epoch % interval == 0 and epoch < self.num_epochs:
            self.checkpoints.save_epoch(epoch)

    def _stop_if_asked(self, meter: Meter, timed: bool = True) -> None:
        """Save where we are, within the epoch, and leave, if a rank is asked to.

        :param timed: ``max_time`` may say so too.
        """
        state = self.state
        asked = self.stop.number or (TIMED if timed and self.deadline.passed else 0)
        number = self.ranks.max(asked)
        if number > TIMED:
            by, code = Signals(number).name, EXIT_CODES[Signals(number)]
        elif number:
            by, code = "max_time", MAX_TIME
        else:
            return
        state.meter = meter.state_dict()
        self.checkpoints.save_last(state.epoch)
        self._leave(by, code)

    def _stop_at_the_end(self) -> None:
        """Leave after the last epoch, if a rank is asked to; ``max_time`` waits for the end."""
        number = self.ranks.max(self.stop.number)
        if number:
            self._leave(Signals(number).name, EXIT_CODES[Signals(number)])

    def _leave(self, by: str, code: int) -> NoReturn:
        running = self.state.epoch + 1
        where = f"in epoch {running}" if running <= self.num_epochs else "after the last epoch"
        raise TrainingInterrupted(
            f"stopped by {by} {where} and saved",
            exit_code=code,
            hint="resume with --restart auto",
        )


def snapshot(model: torch.nn.Module) -> dict[str, Any]:
    """A deep copy of all weights and buffers, on the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in model.state_dict().items()}

"""The trainer of models that are linear in their weights: one pass, one solution, no steps."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtt.checkpoint import upgrade_steps, write
from mtt.data import Dataset
from mtt.interface import Context, Listener, ModelInterface, TrainerInterface
from mtt.mlip import LinearMLIPModel
from mtt.mlip.fitting import check_given
from mtt.mlip.steps import folder_steps
from mtt.stopping import stop_if_asked, watch_signals
from mtt.training.checkpoints import Checkpoints
from mtt.training.least_squares.assemble import assemble
from mtt.training.least_squares.measure import Measure, fingerprint
from mtt.training.least_squares.ridge import Solution, solve
from mtt.training.least_squares.rows import check_squares
from mtt.training.reporting.events import Events
from mtt.training.reporting.loggers import default_loggers
from mtt.training.state import Best, TrainingState

logger = logging.getLogger(__name__)

HYPERS: dict[str, Any] = {
    "ridge": "evidence",
    "batch_size": 16,
    "max_atoms_per_batch": None,
    "loss": "mse",
    "per_structure_targets": [],
    "atomic_baseline": {},
    "scale_targets": True,
    "fixed_scaling_weights": {},
    "best_model_metric": "loss",
    "extended_metrics": False,
    "log_mae": False,
}


class LeastSquaresTrainer(TrainerInterface):
    """Solves a :class:`mtt.mlip.LinearMLIPModel` by regularised least squares, in double precision.

    The loss is that of the options, of squares alone. One pass over the training set adds up the
    normal equations, so that memory does not depend on its size; the penalty on the weights is
    given, or chosen by the data. A run has one epoch.

    :param hypers: those that are missing are taken from the platform's defaults.
    """

    def __init__(self, hypers: dict[str, Any]) -> None:
        super().__init__({**self.platform_hypers(), **hypers})
        self._state = TrainingState()

    @classmethod
    def platform_hypers(cls) -> dict[str, Any]:
        """Defaults of the options of every trainer of this kind."""
        return copy.deepcopy(HYPERS)

    @property
    def report(self) -> Mapping[str, Any]:
        """What the last solution says of itself: ridge, effective parameters, condition, …"""
        found: Mapping[str, Any] = self._state.origin.get("least_squares", {})
        return found

    def check(
        self,
        model: ModelInterface,
        dtype: torch.dtype,
        devices: list[torch.device],
        train_datasets: list[Dataset],
        val_datasets: list[Dataset],
    ) -> None:
        """Whether the options fit the data; see :meth:`train`.

        :raises MttError: they do not.
        """
        assert isinstance(model, LinearMLIPModel), f"{type(model).__name__} is not linear"
        check_given(self.hypers, model.dataset_info)
        measure = Measure(self.hypers, model, train_datasets, val_datasets)
        check_squares(measure.loss)
        _ = measure.best_rule

    def train(
        self,
        model: ModelInterface,
        dtype: torch.dtype,
        devices: list[torch.device],
        train_datasets: list[Dataset],
        val_datasets: list[Dataset],
        checkpoint_dir: str,
    ) -> None:
        """Solve for the weights of ``model``, in place.

        :raises ConfigError: options that do not fit the data.
        :raises TrainingError: nothing to fit or to validate on, no solution.
        :raises Stopped: a signal; nothing is written.
        """
        assert isinstance(model, LinearMLIPModel), f"{type(model).__name__} is not linear"
        with watch_signals("between"), closing(Events(self._listeners())) as events:
            model.to(device=devices[0], dtype=torch.float64)
            measure = Measure(self.hypers, model, train_datasets, val_datasets)
            check_squares(measure.loss)
            key = fingerprint(self.hypers, train_datasets, val_datasets)
            solved = self._state.epoch > 0 and self._state.epoch_key == key
            if self._state.epoch and not solved:
                logger.info("the data or the options have changed: the model is fitted again")
                self._state = TrainingState()
            events(
                "run_start",
                self._state.epoch,
                num_epochs=1,
                n_batches=measure.training.n_batches(),
                log_interval=1,
                history=tuple(self._state.history),
                units=measure.record.units,
            )
            checkpoints = Checkpoints(Path(checkpoint_dir), lambda: self._checkpoint(model), events)
            if solved:
                logger.info(
                    "the model is solved already, for these data and options; nothing to do"
                )
            else:
                self._solve(model, measure, events)
                self._state.epoch_key = key
                checkpoints.save_best(1)
            best = self._state.best
            assert best is not None
            checkpoints.save_last(1)
            values = {"best_epoch": best.epoch, "best_metric": best.value}
            events("end", 1, **values, metric=measure.best_rule.metric)

    def _solve(self, model: LinearMLIPModel, measure: Measure, events: Events) -> None:
        started = time.perf_counter()
        model.fit_baselines(measure.training.dataset, self.hypers)
        model.set_weights(torch.zeros(model.n_weights, dtype=torch.float64))
        measure = measure.again()  # with the scale that was found
        loader = measure.training

        def looked() -> Any:
            for batch in loader.epoch():
                stop_if_asked()
                yield model.within_cutoff(batch.graph)

        def told(done: int, of: int) -> None:
            events("progress", 1, batch=done, n_batches=of)
            stop_if_asked()

        model.look_at(looked)
        free = self._free(model)
        equations = assemble(model, loader, measure.loss, free, told)
        assembled = time.perf_counter()
        penalised = torch.arange(len(equations.right)) < model.n_weights
        found = solve(equations, penalised, self.hypers["ridge"], stop_if_asked)
        model.set_weights(found.weights[: model.n_weights])
        if free:
            model.composition.values[free, 0] += found.weights[model.n_weights :].to(
                model.composition.values
            )
        self._write_down(model, measure, events, started)
        seconds = {"assembly": assembled - started, "whole": time.perf_counter() - started}
        self._tell(model, equations.n_rows, found, seconds)

    def _write_down(
        self, model: LinearMLIPModel, measure: Measure, events: Events, started: float
    ) -> None:
        training, validation = measure.scores(model, stop_if_asked)
        state, rule = self._state, measure.best_rule
        seconds = time.perf_counter() - started
        row = measure.record.row(1, float("nan"), training, validation, seconds, {})
        state.epoch, state.history = 1, [row]
        value = rule.value(validation)
        weights = {name: v.detach().cpu().clone() for name, v in model.state_dict().items()}
        state.best = Best(rule.identity, 1, value, weights)
        units = measure.record.units
        events.measured(1, row, units, {"seconds": seconds}, {"seconds": "s"})
        events("best", 1, metric=rule.metric, value=value)
        events("epoch", 1, metrics=dict(row), units=units, is_best=True, metric=rule.metric)

    def _tell(
        self, model: LinearMLIPModel, n_rows: int, found: Solution, seconds: Mapping[str, float]
    ) -> None:
        logger.info(
            "solved %d equations for %d weights in %.1f s (%.1f s to set them up)",
            n_rows,
            len(found.weights),
            seconds["whole"],
            seconds["assembly"],
        )
        logger.info(
            "ridge %.2g%s; %.0f parameters are determined by the data; condition %.1e",
            found.ridge,
            "" if len(found.tried) < 2 else f", by {self.hypers['ridge']}",
            found.effective,
            found.condition,
        )
        self._state.origin["least_squares"] = {
            "equations": n_rows,
            "weights": len(found.weights),
            "ridge": found.ridge,
            "criterion": str(self.hypers["ridge"]),
            "effective_parameters": found.effective,
            "condition": found.condition,
            "loss": found.squares,
            "seconds": dict(seconds),
        }

    def _free(self, model: LinearMLIPModel) -> list[int]:
        """Elements whose energy is fitted together with the weights: those that are not given."""
        (name,) = model.target_names
        given = (self.hypers["atomic_baseline"] or {}).get(name, {})
        if not isinstance(given, Mapping):
            return []
        known = {int(z) for z in given}
        types = model.dataset_info.atomic_types
        return [i for i, z in enumerate(types) if int(z) not in known]

    def save_checkpoint(self, model: ModelInterface, path: str | Path) -> None:
        """Write the model and what is known of its solution.

        :raises CheckpointError: it cannot be written.
        """
        write(path, self._checkpoint(model))

    @classmethod
    def load_checkpoint(
        cls, checkpoint: dict[str, Any], hypers: dict[str, Any], context: Context
    ) -> LeastSquaresTrainer:
        """A trainer with ``hypers``, which knows what ``checkpoint`` is the solution of.

        :raises CheckpointError: the checkpoint holds no training, or one of a newer mtt.
        """
        trainer = cls(hypers)
        if context == "restart":
            trainer._state = TrainingState.from_checkpoint(checkpoint)
        return trainer

    @classmethod
    def upgrade_checkpoint(cls, checkpoint: dict[str, Any]) -> dict[str, Any]:
        """Apply ``trainer_1_to_2`` … of the folder's ``upgrade.py``, one after the other."""
        steps = folder_steps(cls)
        return upgrade_steps(checkpoint, "trainer", cls.__checkpoint_version__, steps)

    def _listeners(self) -> Sequence[Listener]:
        own = default_loggers(self.run.directory) if self.run.own_loggers else []
        return [*own, *self.run.listeners]

    def _checkpoint(self, model: ModelInterface) -> dict[str, Any]:
        state, best = self._state, self._state.best
        weights: Mapping[str, Tensor] | None = None if best is None else best.weights
        return {
            **model.get_checkpoint(),
            "architecture_name": self.run.architecture,
            "trainer_ckpt_version": self.__checkpoint_version__,
            "provenance": copy.deepcopy({**self.run.provenance, **state.origin}),
            "train_hypers": copy.deepcopy(self.hypers),
            "epoch": state.epoch,
            "best_epoch": None if best is None else best.epoch,
            "best_metric": None if best is None else best.value,
            "best_model_state_dict": None if weights is None else dict(weights),
            "trainer_state": state.to_dict(),
        }

"""The trainer of models that are linear in their weights: one pass, one solution, no steps."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from mtt.data import Dataset
from mtt.interface import ModelInterface
from mtt.mlip import LinearMLIPModel
from mtt.mlip.fitting import check_given
from mtt.options.training import TrainingOptions, parse
from mtt.stopping import watch_signals
from mtt.training.checkpoints import Checkpoints
from mtt.training.datasets import TrainingData
from mtt.training.least_squares.fingerprint import fingerprint
from mtt.training.least_squares.options import RidgeOptions, default_hypers
from mtt.training.least_squares.solving import Solver, log_solution
from mtt.training.numerics.ranges import check_ranges
from mtt.training.platform_trainer import PlatformTrainer
from mtt.training.reporting.events import Events
from mtt.training.setup import one_device
from mtt.training.state import Best, TrainingState

logger = logging.getLogger(__name__)


class LeastSquaresTrainer(PlatformTrainer):
    """Solves a :class:`mtt.mlip.LinearMLIPModel` by regularised least squares, in double precision.

    The loss is that of the options, of squares alone. One pass over the training set adds up the
    normal equations, so that memory does not depend on its size; the penalty on the weights is
    given, or chosen by the data. A run has one epoch.

    :param hypers: those that are missing are taken from the platform's defaults.
    :raises ConfigError: one problem for each option that is wrong.
    """

    def __init__(self, hypers: dict[str, Any]) -> None:
        super().__init__({**self.platform_hypers(), **hypers})
        _ = self.options, self.ridge

    @classmethod
    def platform_hypers(cls) -> dict[str, Any]:
        """Defaults of the options of every trainer of this kind."""
        return default_hypers()

    @property
    def options(self) -> TrainingOptions:
        """Those of the platform among :attr:`hypers`; those about steps are never read."""
        return parse(self.hypers)

    @property
    def ridge(self) -> RidgeOptions:
        """How strongly the weights are penalised."""
        return RidgeOptions.parse(self.hypers)

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
        one_device(devices)
        check_given(self.options, model.dataset_info)
        check_ranges([*train_datasets, *val_datasets], self.options, torch.float64)
        _ = self._solver(model, train_datasets, val_datasets).setup().best_rule

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
        device = one_device(devices)
        with watch_signals("between"), closing(Events(self._listeners())) as events:
            model.to(device=device, dtype=torch.float64)
            solver = self._solver(model, train_datasets, val_datasets)
            key = fingerprint(self.hypers, train_datasets, val_datasets)
            solved = self._state.epoch > 0 and self._state.epoch_key == key
            if self._state.epoch and not solved:
                logger.info("the data or the options have changed: the model is fitted again")
                self._state = TrainingState()
            self._announce(solver, events)
            folder, ranks = Path(checkpoint_dir), self.run.ranks
            checkpoints = Checkpoints(folder, lambda: self._checkpoint(model), events, ranks=ranks)
            if solved:
                logger.info(
                    "the model is solved already, for these data and options; nothing to do"
                )
            else:
                self._solve(solver, events)
                self._state.epoch_key = key
                checkpoints.save_best(1)
            best = self._state.best
            assert best is not None
            checkpoints.save_last(1)
            values = {"best_epoch": best.epoch, "best_metric": best.value}
            events("end", 1, **values, metric=solver.setup().best_rule.metric)

    def _solver(
        self, model: ModelInterface, training: list[Dataset], validation: list[Dataset]
    ) -> Solver:
        assert isinstance(model, LinearMLIPModel), f"{type(model).__name__} is not linear"
        data = TrainingData(model, training, validation)
        return Solver(model, data, self.options, self.ridge.ridge, self.run)

    def _announce(self, solver: Solver, events: Events) -> None:
        setup = solver.setup()
        loader = setup.loader(solver.options, solver.data.training, shuffle=False)
        events(
            "run_start",
            self._state.epoch,
            num_epochs=1,
            n_batches=loader.n_batches(),
            log_interval=1,
            history=tuple(self._state.history),
            units=setup.record.units,
        )

    def _solve(self, solver: Solver, events: Events) -> None:
        """Solve, score the solution, and note and report both."""
        started, model = time.perf_counter(), solver.model
        said = solver.solve(events)
        setup = solver.setup()
        training, validation = solver.scores(setup)
        rule, units = setup.best_rule, setup.record.units
        value, seconds = rule.value(validation), time.perf_counter() - started
        row = setup.record.row(1, float("nan"), training, validation, seconds, {})
        weights = {name: v.detach().cpu().clone() for name, v in model.state_dict().items()}
        state = self._state
        state.epoch, state.history = 1, [row]
        state.best = Best(rule.identity, 1, value, weights)
        state.origin["least_squares"] = said
        events.measured(1, row, units, {"seconds": seconds}, {"seconds": "s"})
        events("best", 1, metric=rule.metric, value=value)
        events("epoch", 1, metrics=dict(row), units=units, is_best=True, metric=rule.metric)
        log_solution(said)

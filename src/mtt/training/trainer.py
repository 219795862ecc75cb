"""The trainer of all architectures that build on MLIPModel."""

from __future__ import annotations

import logging
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtt.data import Dataset
from mtt.data.batching.pair_distances import check_pairs
from mtt.errors import CheckpointError
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.mlip.fitting import check_given
from mtt.options.training import TrainingOptions, parse
from mtt.progress import working
from mtt.stopping import StopFlag, stop_if_asked, watch_signals
from mtt.training.batch_size.auto import plan_batch_atoms
from mtt.training.checkpoints import Checkpoints
from mtt.training.datasets import TrainingData
from mtt.training.fit import Fit
from mtt.training.losses.anchor import weights_of_source
from mtt.training.losses.strain_scales import strain_scales
from mtt.training.numerics.determinism import deterministic
from mtt.training.numerics.nonfinite import nonfinite_weights
from mtt.training.numerics.precision import check_precision, tf32
from mtt.training.numerics.random_state import rng_state
from mtt.training.numerics.ranges import check_ranges
from mtt.training.numerics.same_weights import share_weights
from mtt.training.options.defaults import check_hypers, default_hypers
from mtt.training.platform_trainer import PlatformTrainer
from mtt.training.refit.last_fit import LastFit
from mtt.training.reporting.events import Events
from mtt.training.resume import (
    check_resumable,
    forget_best_of_other_rule,
    restart_epoch_if_changed,
)
from mtt.training.setup import TrainingSetup, one_device
from mtt.training.state import Best
from mtt.training.stopping.timing import Deadline, Due, parse_max_time

logger = logging.getLogger(__name__)


class MLIPTrainer(PlatformTrainer):
    """The platform's engine behind the contract.

    A folder's trainer needs no more than its version::

        class Trainer(MLIPTrainer):
            __checkpoint_version__ = 1

    :param hypers: the options of ``default-hypers.yaml``; those that are missing are taken
        from there.
    :raises ConfigError: one problem for each option that is wrong.
    """

    __several_ranks__ = True

    __taken_on_restart__: frozenset[str] = frozenset()
    """Own options of the architecture that a resumed training may change; others are refused."""

    def __init__(self, hypers: dict[str, Any]) -> None:
        defaults = self.platform_hypers()
        finetune = {**defaults["finetune"], **(hypers.get("finetune") or {})}
        super().__init__({**defaults, **hypers, "finetune": finetune})
        check_hypers(self.hypers)
        self._fit: Fit | None = None

    @classmethod
    def platform_hypers(cls) -> dict[str, Any]:
        """The platform's training defaults, below those of the folder."""
        return default_hypers()

    @property
    def options(self) -> TrainingOptions:
        """Those of the platform among :attr:`hypers`, as the engine reads them."""
        return parse(self.hypers)

    @property
    def best(self) -> dict[str, Tensor] | None:
        """Weights of the best epoch so far, on the CPU; the model itself holds the latest."""
        best = self._best
        return None if best is None else best.weights

    def check(
        self,
        model: ModelInterface,
        dtype: torch.dtype,
        devices: list[torch.device],
        train_datasets: list[Dataset],
        val_datasets: list[Dataset],
    ) -> None:
        """Whether all options fit the model, the data and the device; see :meth:`train`.

        :raises MttError: they do not.
        """
        assert isinstance(model, MLIPModel), f"{type(model).__name__} is not an MLIPModel"
        options = self.options
        check_precision(options, one_device(devices), dtype)
        parse_max_time(options.max_time)
        parse_max_time(options.rank_timeout, "rank_timeout")
        check_given(options, model.dataset_info)
        check_ranges([*train_datasets, *val_datasets], options, dtype)
        for dataset in (*train_datasets, *val_datasets):
            check_pairs(dataset, model.cutoff)
        data = TrainingData(model, train_datasets, val_datasets)
        setup = TrainingSetup(options, self.run, model, data, self._state.strain_scales)
        setup.check(self._state)
        check_resumable(self._state, options, model.dtype, dtype)

    def train(
        self,
        model: ModelInterface,
        dtype: torch.dtype,
        devices: list[torch.device],
        train_datasets: list[Dataset],
        val_datasets: list[Dataset],
        checkpoint_dir: str,
    ) -> None:
        """Train ``model`` in place; afterwards it holds the latest weights, not the best.

        :raises ConfigError: options that do not fit the data, or the run to resume.
        :raises TrainingError: nothing to train or to validate on, nothing finite.
        :raises TrainingInterrupted: a signal or ``max_time``; everything is saved.
        :raises Stopped: a signal, before there was anything to save.
        """
        assert isinstance(model, MLIPModel), f"{type(model).__name__} is not an MLIPModel"
        options, device = self.options, one_device(devices)
        check_precision(options, device, dtype)
        with watch_signals() as stop:
            data = TrainingData(model, train_datasets, val_datasets)
            check_resumable(self._state, options, model.dtype, dtype)
            fresh = not self._state.has_begun
            if fresh and not options.finetune.read_from:
                with working("fitting baselines"):
                    model.fit_baselines(data.training, options)
                # least squares may round differently on another kind of processor
                share_weights(model, self.run.ranks)
            if fresh and options.scale_targets:
                self._state.strain_scales = strain_scales(model, data.training)
            given = (options, self.run, model, data, self._state.strain_scales)
            setup = TrainingSetup(*given)
            if fresh and not options.finetune.read_from:
                model.look_at(setup.graphs)
            model.to(device=device, dtype=dtype)
            share_weights(model, self.run.ranks)
            with (
                deterministic(options.deterministic),
                tf32(options.tf32, device),
                closing(Events(self._listeners())) as events,
            ):
                self._limit_batches(setup)
                if fresh and options.finetune.read_from and options.finetune.anchor:
                    self._state.anchor = weights_of_source(model)
                setup.anchored = self._state.anchor
                if fresh:
                    torch.manual_seed(self.run.seed + self.run.ranks.rank)
                    fitted = setup.prefit()
                    self._state.origin |= {} if fitted is None else {"prefit": fitted.to_dict()}
                self._run(self._prepare(setup, Path(checkpoint_dir), events, stop))

    def _limit_batches(self, setup: TrainingSetup) -> None:
        """What ``batch_atoms`` asks for: measured once, and the same after every restart."""
        if setup.options.batch_atoms is None:
            self._state.batch_atoms = None
            return
        if self._state.batch_atoms is None:
            self._state.batch_atoms = plan_batch_atoms(setup)
        setup.limit_atoms(self._state.batch_atoms)

    def _prepare(self, setup: TrainingSetup, folder: Path, events: Events, stop: StopFlag) -> Fit:
        """Build what the options ask for; its stages take what the checkpoint holds."""
        options, model = setup.options, setup.model
        forget_best_of_other_rule(self._state, setup)
        for notice in setup.notices:
            logger.warning("%s", notice)
        validation = setup.make_validation()
        return Fit(
            model=model,
            state=self._state,
            plans=setup.plans,
            make_stage=setup.make_stage,
            validation=validation,
            best_rule=setup.best_rule,
            record=setup.record,
            events=events,
            checkpoints=Checkpoints(
                folder,
                lambda: self._checkpoint_if_finite(model),
                events,
                options.keep_checkpoints,
                ranks=self.run.ranks,
            ),
            stop=stop,
            # what came before counts: a queue's limit does not ask what the time was spent on
            deadline=Deadline(parse_max_time(options.max_time), start=stop.started),
            due=Due(options.checkpoint_interval_steps, options.checkpoint_interval_minutes),
            follow=partial(restart_epoch_if_changed, self._state, self.run.seed),
            log_interval=options.log_interval,
            checkpoint_interval=options.checkpoint_interval,
            on_nonfinite=options.on_nonfinite,
            ranks=self.run.ranks,
            last_fit=LastFit(setup, validation),
        )

    def _run(self, fit: Fit) -> None:
        if self._state.epoch >= fit.num_epochs:
            logger.info(
                "already trained for %d epochs (num_epochs: %d); nothing to do",
                self._state.epoch,
                fit.num_epochs,
            )
        stop_if_asked()
        self._fit = fit
        with watch_signals("later"):
            fit.run()

    @property
    def _best(self) -> Best | None:
        return self._state.shown_best

    def _checkpoint_if_finite(self, model: MLIPModel) -> dict[str, Any]:
        """:raises CheckpointError: the weights are not finite; older checkpoints are kept."""
        lost = nonfinite_weights(model)
        if lost:
            raise CheckpointError(lost, hint="the checkpoint before is kept; resume from it")
        return self._checkpoint(model)

    def _checkpoint(self, model: ModelInterface) -> dict[str, Any]:
        contents = super()._checkpoint(model)
        if self._fit is not None and self._fit.stage is not None:
            rng = rng_state(next(model.parameters()).device, self.run.ranks)
            contents["trainer_state"]["parts"] = {**self._fit.stage.state_dict(), "rng": rng}
        return contents

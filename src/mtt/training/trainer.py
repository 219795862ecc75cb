"""The trainer of all architectures that build on MLIPModel."""

from __future__ import annotations

import copy
import hashlib
import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mtt.checkpoint import upgrade_steps, write
from mtt.data import Batching, Dataset, Loader, merge
from mtt.errors import ConfigError, TrainingError
from mtt.interface import Context, Listener, ModelInterface, TrainerInterface
from mtt.mlip import MLIPModel
from mtt.mlip.fitting import check_given
from mtt.mlip.steps import folder_steps
from mtt.training.best import BestRule
from mtt.training.checkpoints import Checkpoints
from mtt.training.determinism import deterministic
from mtt.training.events import Events
from mtt.training.fit import Fit
from mtt.training.hypers import SECTION, check_hypers, default_hypers
from mtt.training.loggers import default_loggers
from mtt.training.optimizers import make_optimizer, restore_optimizer
from mtt.training.record import Record
from mtt.training.schedules import make_schedule
from mtt.training.signals import StopFlag, watch_signals
from mtt.training.state import TrainingState, restore_rng, rng_state
from mtt.training.step import Step
from mtt.training.terms import make_loss

logger = logging.getLogger(__name__)


class MLIPTrainer(TrainerInterface):
    """The platform's engine behind the contract.

    A folder's trainer needs no more than its version::

        class Trainer(MLIPTrainer):
            __checkpoint_version__ = 1

    :param hypers: the options of ``default-hypers.yaml``; those that are missing are taken
        from there.
    :raises ConfigError: an option asks for what is not available.
    """

    def __init__(self, hypers: dict[str, Any]) -> None:
        defaults = self.platform_hypers()
        finetune = {**defaults["finetune"], **(hypers.get("finetune") or {})}
        super().__init__({**defaults, **hypers, "finetune": finetune})
        check_hypers(self.hypers)
        self._state = TrainingState()
        self._optimizer: Optimizer | None = None

    @classmethod
    def platform_hypers(cls) -> dict[str, Any]:
        """The platform's training defaults, below those of the folder."""
        return default_hypers()

    @property
    def best(self) -> dict[str, Tensor] | None:
        """Weights of the best epoch so far, on the CPU; the model itself holds the latest."""
        return None if self._state.best is None else self._state.best.weights

    def check(
        self,
        model: ModelInterface,
        train_datasets: list[Dataset],
        val_datasets: list[Dataset],
    ) -> None:
        """Whether loss, metric, baselines and batches fit the data; see :meth:`train`.

        :raises MttError: they do not.
        """
        assert isinstance(model, MLIPModel), f"{type(model).__name__} is no MLIPModel"
        training, validation = _one(train_datasets, "training"), _one(val_datasets, "validation")
        loss = make_loss(self.hypers, model.dataset_info, model.scales, training, validation)
        BestRule(self.hypers, model.dataset_info, loss)
        check_given(self.hypers, model.dataset_info)
        self._loader(model, training, shuffle=True).n_batches(0)
        self._loader(model, validation, shuffle=False)

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

        :raises ConfigError: options that do not fit the data.
        :raises TrainingError: nothing to train or to validate on, nothing finite.
        :raises TrainingInterrupted: SIGTERM or SIGINT; everything is saved.
        """
        assert isinstance(model, MLIPModel), f"{type(model).__name__} is no MLIPModel"
        training, validation = (
            _one(train_datasets, "training"),
            _one(val_datasets, "validation"),
        )
        device = _one_device(devices)
        if self.hypers["num_workers"]:
            logger.info("num_workers is not used: batches are gathered without worker processes")
        for dataset in (training, validation):
            dataset.prepare(model.requested_neighbor_lists())
        if not self._state.has_begun and not self.hypers["finetune"]["read_from"]:
            model.fit_baselines(training, self.hypers)
        model.to(device=device, dtype=dtype)
        with deterministic(self.hypers["deterministic"]), watch_signals() as stop:
            fit = self._prepare(model, training, validation, Path(checkpoint_dir), stop)
            if self._state.epoch >= fit.num_epochs:
                logger.info(
                    "already trained for %d epochs (num_epochs: %d); nothing to do",
                    self._state.epoch,
                    fit.num_epochs,
                )
            fit.run()

    def save_checkpoint(self, model: ModelInterface, path: str | Path) -> None:
        """Write the model, its best weights, and the state of the training.

        :raises CheckpointError: it cannot be written.
        """
        write(path, self._checkpoint(model))

    @classmethod
    def load_checkpoint(
        cls, checkpoint: dict[str, Any], hypers: dict[str, Any], context: Context
    ) -> MLIPTrainer:
        """A trainer with ``hypers``, which goes on where ``checkpoint`` stopped.

        Contexts other than ``restart`` start anew, with a fresh optimizer and schedule.

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

    # ------------------------------------------------------------------ preparation

    def _prepare(
        self,
        model: MLIPModel,
        training: Dataset,
        validation: Dataset,
        folder: Path,
        stop: StopFlag,
    ) -> Fit:
        """Build what the options ask for, and put back what the checkpoint holds."""
        hypers, info = self.hypers, model.dataset_info
        batches = self._loader(model, training, shuffle=True)
        steps_per_epoch = batches.n_batches(0)
        loss = make_loss(hypers, info, model.scales, training, validation)
        best_rule = BestRule(hypers, info, loss)
        optimizer = make_optimizer(model, hypers)
        self._restore(optimizer, best_rule, model)
        self._follow(f"{self.run.seed} {len(training)} {steps_per_epoch} {loss.terms}")
        self._optimizer = optimizer
        events = Events(self._listeners())
        return Fit(
            model=model,
            state=self._state,
            training=batches,
            validation=self._loader(model, validation, shuffle=False),
            step=Step(model, loss, optimizer, hypers["grad_clip_norm"]),
            schedule=make_schedule(hypers, hypers["num_epochs"] * steps_per_epoch, steps_per_epoch),
            best_rule=best_rule,
            record=Record(info, hypers["log_mae"]),
            events=events,
            checkpoints=Checkpoints(folder, lambda: self._checkpoint(model), events),
            stop=stop,
            num_epochs=hypers["num_epochs"],
            steps_per_epoch=steps_per_epoch,
            log_interval=hypers["log_interval"],
            checkpoint_interval=hypers["checkpoint_interval"],
        )

    def _loader(self, model: MLIPModel, dataset: Dataset, shuffle: bool) -> Loader:
        atoms = self.hypers["max_atoms_per_batch"]
        batching = Batching(
            structures=self.hypers["batch_size"] if atoms is None else None,
            atoms=atoms,
            min_atoms=self.hypers["min_atoms_per_batch"] if shuffle else 0,
        )
        return Loader(
            dataset,
            model.dataset_info.atomic_types,
            dtype=model.dtype,
            device=model.device,
            batching=batching,
            shuffle=shuffle,
            seed=self.run.seed,
            cutoff=model.list_cutoff(),
        )

    def _restore(self, optimizer: Optimizer, rule: BestRule, model: MLIPModel) -> None:
        state = self._state
        if not state.has_begun:
            torch.manual_seed(self.run.seed)
            return
        if state.optimizer is not None:
            trained = [name for name, p in model.named_parameters() if p.requires_grad]
            restore_optimizer(optimizer, state.optimizer, trained)
        if state.rng is not None:
            restore_rng(state.rng, model.device)
        state.optimizer = state.rng = None
        if state.best is not None and not rule.comparable(state.best):
            logger.warning(
                "epoch %d was best by %s; best_model_metric or loss have changed since, "
                "so the search for the best starts anew",
                state.best.epoch,
                state.best.metric,
            )
            state.best = None

    def _follow(self, epoch: str) -> None:
        """Begin the running epoch anew where its batches or terms are not what they were."""
        state, key = self._state, hashlib.sha256(epoch.encode()).hexdigest()
        if state.batch and state.epoch_key != key:
            logger.warning(
                "the data, the batches or the loss have changed since the stop in epoch %d; "
                "it begins anew",
                state.epoch + 1,
            )
            state.begin_epoch()
        state.epoch_key = key

    def _listeners(self) -> list[Listener]:
        own = default_loggers(self.run.directory) if self.run.own_loggers else []
        return [*own, *self.run.listeners]

    def _checkpoint(self, model: ModelInterface) -> dict[str, Any]:
        """The whole checkpoint as of now; its keys are documented in ``mtt.checkpoint``."""
        state, best = self._state, self._state.best
        stored = state.to_dict()
        if self._optimizer is not None:
            stored["optimizer"] = self._optimizer.state_dict()
            stored["rng"] = rng_state(next(model.parameters()).device)
        return {
            **model.get_checkpoint(),
            "architecture_name": self.run.architecture,
            "trainer_ckpt_version": self.__checkpoint_version__,
            "provenance": copy.deepcopy(dict(self.run.provenance)),
            "train_hypers": copy.deepcopy(self.hypers),
            "epoch": state.epoch,
            "best_epoch": None if best is None else best.epoch,
            "best_metric": None if best is None else best.value,
            "best_model_state_dict": None if best is None else dict(best.weights),
            "trainer_state": stored,
        }


def _one(datasets: list[Dataset], name: str) -> Dataset:
    merged = merge(datasets) if len(datasets) > 1 else datasets[0] if datasets else None
    if merged is None or not len(merged):
        raise TrainingError(
            f"there are no structures in the {name} set",
            hint="the best epoch is chosen by the validation set" if name == "validation" else "",
        )
    return merged


def _one_device(devices: list[torch.device]) -> torch.device:
    if len(devices) != 1:
        raise ConfigError(
            f"training on {len(devices)} devices is not available yet",
            where=f"{SECTION}.distributed",
            hint="give one device",
        )
    return devices[0]

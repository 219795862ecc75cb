"""What every trainer of the platform keeps, and how its checkpoints hold it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Self

from mtt.checkpoint import upgrade_by_folder, write
from mtt.interface import Context, Listener, ModelInterface, TrainerInterface
from mtt.training.reporting.logger_kind import default_loggers
from mtt.training.state import Best, TrainingState


class PlatformTrainer(TrainerInterface):
    """A trainer with a :class:`TrainingState`, which its checkpoints hold beside the model."""

    def __init__(self, hypers: dict[str, Any]) -> None:
        super().__init__(hypers)
        self._state = TrainingState()

    def save_checkpoint(self, model: ModelInterface, path: str | Path) -> None:
        """Write the model, its best weights, and the state of the training, on the first rank.

        :raises CheckpointError: it cannot be written.
        """
        contents = self._checkpoint(model)
        self.run.ranks.on_first(lambda: write(path, contents))

    @classmethod
    def load_checkpoint(
        cls, checkpoint: dict[str, Any], hypers: dict[str, Any], context: Context
    ) -> Self:
        """Make a trainer with ``hypers`` that continues from ``checkpoint``.

        Contexts other than ``restart`` start a new training.

        :raises CheckpointError: the checkpoint holds no training, or one of a newer mtt.
        """
        trainer = cls(hypers)
        if context == "restart":
            trainer._state = TrainingState.from_checkpoint(checkpoint)
        return trainer

    @classmethod
    def upgrade_checkpoint(cls, checkpoint: dict[str, Any]) -> dict[str, Any]:
        """Apply ``trainer_1_to_2`` … of the folder's ``upgrade.py``, one after the other."""
        return upgrade_by_folder(checkpoint, "trainer", cls)

    @property
    def _best(self) -> Best | None:
        """The epoch whose weights a checkpoint holds as the best."""
        return self._state.best

    def _listeners(self) -> list[Listener]:
        writes = self.run.own_loggers and self.run.ranks.is_first
        own = default_loggers(self.run.directory) if writes else []
        return [*own, *self.run.listeners]

    def _checkpoint(self, model: ModelInterface) -> dict[str, Any]:
        """The whole checkpoint as of now; its keys are documented in ``mtt.checkpoint``."""
        state, best = self._state, self._best
        return {
            **model.get_checkpoint(),
            "architecture_name": self.run.architecture,
            "trainer_ckpt_version": self.__checkpoint_version__,
            "provenance": copy.deepcopy({**self.run.provenance, **state.origin}),
            "train_hypers": copy.deepcopy(self.hypers),
            "epoch": state.epoch,
            "best_epoch": None if best is None else best.epoch,
            "best_metric": None if best is None else best.value,
            "best_model_state_dict": None if best is None else dict(best.weights),
            "trainer_state": state.to_dict(),
        }

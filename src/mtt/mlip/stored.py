"""A model in tensors and plain types: what its checkpoints hold, and how it comes back."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch

from mtt.checkpoint import metadata_from_dict, metadata_to_dict, upgrade_steps
from mtt.data.info import DatasetInfo
from mtt.interface import Context, ModelInterface
from mtt.mlip.steps import folder_steps
from mtt.mlip.support import check_restart, check_targets


class Stored(ModelInterface):
    """The part of the contract that is about checkpoints."""

    __supported_targets__: ClassVar[Sequence[str]]

    precision: torch.Tensor

    def restart(self, dataset_info: DatasetInfo) -> Self:
        """This model, for other data of the same targets and elements.

        :raises ArchitectureError: elements, targets or units that the model does not know.
        """
        check_restart(self.dataset_info, dataset_info)
        check_targets(type(self).__name__, self.__supported_targets__, False, dataset_info)
        # the data decide which derivatives have labels; the model stays what it is
        self.dataset_info = self.dataset_info.with_targets(
            {**self.dataset_info.targets, **dataset_info.targets}
        )
        return self

    def get_checkpoint(self) -> dict[str, Any]:
        """The model in tensors and plain types; see ``mtt.checkpoint`` for the keys."""
        return {
            "model_ckpt_version": self.__checkpoint_version__,
            "metadata": metadata_to_dict(self.metadata),
            "dataset_info": self.dataset_info.to_dict(),
            "model_hypers": copy.deepcopy(self.hypers),
            "model_dtype": str(self.precision.dtype).removeprefix("torch."),
            "model_state_dict": {k: v.detach().clone() for k, v in self.state_dict().items()},
            "best_model_state_dict": None,
        }

    @classmethod
    def load_checkpoint(cls, checkpoint: dict[str, Any], context: Context) -> Self:
        """The model in ``checkpoint``: latest weights to restart, the best ones otherwise."""
        model = cls(checkpoint["model_hypers"], DatasetInfo.from_dict(checkpoint["dataset_info"]))
        model.metadata = metadata_from_dict(checkpoint["metadata"])
        model.to(getattr(torch, checkpoint["model_dtype"]))
        latest, best = checkpoint["model_state_dict"], checkpoint["best_model_state_dict"]
        model.load_state_dict(latest if context == "restart" or best is None else best)
        return model

    @classmethod
    def upgrade_checkpoint(cls, checkpoint: dict[str, Any]) -> dict[str, Any]:
        """Apply ``model_1_to_2`` … of the folder's ``upgrade.py``, one after the other."""
        return upgrade_steps(checkpoint, "model", cls.__checkpoint_version__, folder_steps(cls))

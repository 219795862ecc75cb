"""A model in tensors and plain types: what its checkpoints hold, and how it comes back."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch

from mtt.checkpoint import metadata_from_dict, metadata_to_dict, upgrade_by_folder
from mtt.data.info import DatasetInfo
from mtt.errors import CheckpointError
from mtt.interface import Context
from mtt.mlip.support import as_known, check_restart, check_targets
from mtt.mlip.trainable.freeze import restore_finetuning
from mtt.mlip.trainable.hooks import Tunable
from mtt.mlip.trainable.lora import merge_adapters

_NEEDED = (
    "metadata",
    "dataset_info",
    "model_hypers",
    "model_dtype",
    "model_state_dict",
    "best_model_state_dict",
)


class Stored(Tunable):
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
        known = self.dataset_info.targets
        wanted = {name: as_known(known[name], new) for name, new in dataset_info.targets.items()}
        self.dataset_info = self.dataset_info.with_targets({**known, **wanted})
        return self

    def get_checkpoint(self) -> dict[str, Any]:
        """The model in tensors and plain types; see ``mtt.checkpoint`` for the keys."""
        checkpoint = {
            "model_ckpt_version": self.__checkpoint_version__,
            "metadata": metadata_to_dict(self.metadata),
            "dataset_info": self.dataset_info.to_dict(),
            "model_hypers": copy.deepcopy(self.hypers),
            "model_dtype": str(self.precision.dtype).removeprefix("torch."),
            "model_state_dict": {k: v.detach().clone() for k, v in self.state_dict().items()},
            "best_model_state_dict": None,
        }
        # only where there is something to say: other checkpoints stay what they were
        if self.finetuning is not None:
            checkpoint["finetuning"] = copy.deepcopy(self.finetuning)
        if self.element_history is not None:
            checkpoint["element_history"] = copy.deepcopy(self.element_history)
        return checkpoint

    @classmethod
    def load_checkpoint(cls, checkpoint: dict[str, Any], context: Context) -> Self:
        """The model in ``checkpoint``: latest weights to restart, the best ones otherwise.

        To restart it has the low-rank corrections and the frozen weights of a fine-tuning;
        otherwise the corrections are merged into plain weights.

        :raises CheckpointError: something is missing, or the weights are those of another model.
        """
        missing = [key for key in _NEEDED if key not in checkpoint]
        if missing:
            raise CheckpointError(f"the checkpoint lacks {', '.join(missing)}")
        model = cls(checkpoint["model_hypers"], DatasetInfo.from_dict(checkpoint["dataset_info"]))
        model.metadata = metadata_from_dict(checkpoint["metadata"])
        if checkpoint.get("element_history") is not None:
            model.remember_elements(checkpoint["element_history"])
        if checkpoint.get("finetuning") is not None:
            restore_finetuning(model, checkpoint["finetuning"])
        model.to(getattr(torch, checkpoint["model_dtype"]))
        latest, best = checkpoint["model_state_dict"], checkpoint["best_model_state_dict"]
        _load_weights(model, latest if context == "restart" or best is None else best)
        if context != "restart" and model.finetuning is not None:
            merge_adapters(model)
            model.finetuning = None
        return model

    @classmethod
    def upgrade_checkpoint(cls, checkpoint: dict[str, Any]) -> dict[str, Any]:
        """Apply ``model_1_to_2`` … of the folder's ``upgrade.py``, one after the other."""
        return upgrade_by_folder(checkpoint, "model", cls)


def _load_weights(model: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:  # torch names all that is missing, unknown or of another shape
        raise CheckpointError(
            f"the weights do not fit {type(model).__name__} with the hypers beside them: "
            + " ".join(line.strip() for line in str(error).splitlines()[1:]),
            hint="if its code has changed, raise __checkpoint_version__ and write the upgrade step",
        ) from error

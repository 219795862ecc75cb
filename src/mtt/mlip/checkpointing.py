"""A model in tensors and plain types: what its checkpoints hold, and how it comes back."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from metatomic.torch import ModelMetadata

from mtt.checkpoint import metadata_from_dict, metadata_to_dict
from mtt.data.info import DatasetInfo
from mtt.errors import CheckpointError
from mtt.interface import Context, ModelInterface
from mtt.mlip.support import as_known, check_restart, check_targets
from mtt.mlip.trainable.freeze import restore_finetuning
from mtt.mlip.trainable.lora import merge_adapters

Weights = Mapping[str, torch.Tensor]

_NEEDED = (
    "metadata",
    "dataset_info",
    "model_hypers",
    "model_dtype",
    "model_state_dict",
    "best_model_state_dict",
)


@dataclass(frozen=True)
class StoredModel:
    """All that makes a model, but its code.

    :param latest: its weights and buffers, by name.
    :param best: those of the best epoch, where there is one.
    :param finetuning: see ``MLIPModel.finetuning``.
    :param element_history: see ``MLIPModel.element_history``.
    """

    metadata: ModelMetadata
    info: DatasetInfo
    hypers: dict[str, Any]
    dtype: torch.dtype
    latest: Weights
    best: Weights | None = None
    finetuning: dict[str, Any] | None = None
    element_history: list[list[int]] | None = None

    @classmethod
    def of(
        cls,
        model: ModelInterface,
        dtype: torch.dtype,
        finetuning: dict[str, Any] | None,
        element_history: list[list[int]] | None,
    ) -> StoredModel:
        """``model`` as it is now; shares its tensors."""
        info, hypers, weights = model.dataset_info, model.hypers, model.state_dict()
        return cls(model.metadata, info, hypers, dtype, weights, None, finetuning, element_history)

    @classmethod
    def from_checkpoint(cls, checkpoint: Mapping[str, Any]) -> StoredModel:
        """:raises CheckpointError: something is missing."""
        missing = [key for key in _NEEDED if key not in checkpoint]
        if missing:
            raise CheckpointError(f"the checkpoint lacks {', '.join(missing)}")
        return cls(
            metadata=metadata_from_dict(checkpoint["metadata"]),
            info=DatasetInfo.from_dict(checkpoint["dataset_info"]),
            hypers=checkpoint["model_hypers"],
            dtype=getattr(torch, checkpoint["model_dtype"]),
            latest=checkpoint["model_state_dict"],
            best=checkpoint["best_model_state_dict"],
            finetuning=checkpoint.get("finetuning"),
            element_history=checkpoint.get("element_history"),
        )

    def to_checkpoint(self, version: int) -> dict[str, Any]:
        """A snapshot, which shares nothing with the model; see ``mtt.checkpoint`` for the keys."""
        checkpoint = {
            "model_ckpt_version": version,
            "metadata": metadata_to_dict(self.metadata),
            "dataset_info": self.info.to_dict(),
            "model_hypers": copy.deepcopy(self.hypers),
            "model_dtype": str(self.dtype).removeprefix("torch."),
            "model_state_dict": _copied(self.latest),
            "best_model_state_dict": None if self.best is None else _copied(self.best),
        }
        # only where there is something to say: other checkpoints stay what they were
        if self.finetuning is not None:
            checkpoint["finetuning"] = copy.deepcopy(self.finetuning)
        if self.element_history is not None:
            checkpoint["element_history"] = copy.deepcopy(self.element_history)
        return checkpoint

    def fill(self, model: ModelInterface, context: Context) -> dict[str, Any] | None:
        """Give ``model``, as it was built, metadata, precision and weights: latest ones to restart.

        Otherwise they are the best, and the low-rank corrections of a fine-tuning are merged into
        plain weights; to restart they stay apart, and frozen weights stay frozen.

        :return: what is left of the fine-tuning in the model.
        :raises CheckpointError: the weights are those of another model.
        """
        model.metadata = self.metadata
        restarts = context == "restart"
        if self.finetuning is not None:
            restore_finetuning(model, self.finetuning)
        model.to(self.dtype)
        _load(model, self.latest if restarts or self.best is None else self.best)
        if restarts or self.finetuning is None:
            return None if self.finetuning is None else dict(self.finetuning)
        merge_adapters(model)
        return None


def restarted_info(
    architecture: str, supported: Sequence[str], known: DatasetInfo, wanted: DatasetInfo
) -> DatasetInfo:
    """Merge what a model knows with the data of ``wanted`` that it is trained with next.

    :raises ArchitectureError: elements, targets or units that the model does not know.
    """
    check_restart(known, wanted)
    check_targets(architecture, supported, False, wanted)
    # the data decide which derivatives have labels; the model stays what it is
    targets = {n: as_known(known.targets[n], target) for n, target in wanted.targets.items()}
    return known.with_targets({**known.targets, **targets})


def _copied(weights: Weights) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in weights.items()}


def _load(model: torch.nn.Module, weights: Weights) -> None:
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:  # torch names all that is missing, unknown or of another shape
        raise CheckpointError(
            f"the weights do not fit {type(model).__name__} with the hypers beside them: "
            + " ".join(line.strip() for line in str(error).splitlines()[1:]),
            hint="if its code has changed, raise __checkpoint_version__ and write the upgrade step",
        ) from error

"""Whether all ranks have the same weights: they start with those of the first, and move alike."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

from mtt.errors import TrainingError
from mtt.ranks import Ranks


def share_weights(model: torch.nn.Module, ranks: Ranks) -> None:
    """Give all ranks the weights and buffers of the first one, in place."""
    ranks.share([value for value in model.state_dict().values() if isinstance(value, torch.Tensor)])


def check_same_weights(models: Sequence[torch.nn.Module], ranks: Ranks, epoch: int) -> None:
    """Whether the weights and buffers of ``models`` are bit for bit the same on all ranks.

    :raises TrainingError: they are not; names the ranks. Raised on all of them.
    """
    others = ranks.differing(lambda: [weights_hash(model) for model in models])
    if others:
        named = ", ".join(map(str, others))
        raise TrainingError(
            f"in epoch {epoch} the weights of rank {named} have become others than those of rank 0",
            hint="a device computes wrongly, or code of the architecture depends on the rank; "
            "resume from last.ckpt on other devices",
        )


def weights_hash(model: torch.nn.Module) -> str:
    """SHA-256 of all tensors of the model's state, as they are stored."""
    found = hashlib.sha256()
    for name, value in model.state_dict().items():
        if isinstance(value, torch.Tensor):
            found.update(name.encode())
            plain = value.detach().cpu().contiguous().flatten()
            found.update(plain.view(torch.uint8).numpy().data)
    return found.hexdigest()

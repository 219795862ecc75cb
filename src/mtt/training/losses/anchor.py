"""L2 towards the weights that a fine-tuning starts from (L2-SP: Li et al., arXiv:1802.01483)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtt.errors import TrainingError
from mtt.mlip import MLIPModel
from mtt.mlip.trainable.parameter_names import matches
from mtt.training.optimizers.groups import NEVER_DECAY, trainables


def weights_of_source(model: MLIPModel) -> dict[str, Tensor]:
    """Copies, on the CPU, of the trained weights that come from the source.

    Heads that are new do not, nor does an anchor hold the physical parameters of a prior.

    :param model: before its first step.
    """
    fresh = set((model.finetuning or {}).get("fresh", ()))
    return {
        one.name: one.parameter.detach().cpu().clone()
        for one in trainables(model)
        if one.name not in fresh and not any(matches(one.name, p) for p in NEVER_DECAY)
    }


class Anchor:
    """λ Σ (w − w₀)² over some weights, a part of the loss.

    Its gradient, 2 λ (w − w₀), is added to that of the other terms before they are clipped, and so
    passes through whatever optimizer there is.

    :param strength: λ.
    :param weights: w₀ by name.
    :raises TrainingError: a name that the model does not train.
    """

    def __init__(self, model: MLIPModel, strength: float, weights: Mapping[str, Tensor]) -> None:
        known = {one.name: one.parameter for one in trainables(model)}
        missing = [name for name in weights if name not in known]
        if missing:
            raise TrainingError(f"the anchor holds {', '.join(missing)}, which are not trained")
        self._strength = strength
        self._pairs = [
            (known[n], w.to(known[n].device, known[n].dtype)) for n, w in weights.items()
        ]

    def pull(self) -> None:
        """Add the gradient to that of every weight that has one."""
        pairs = [(p, start) for p, start in self._pairs if p.grad is not None]
        for parameter, start in pairs:
            assert parameter.grad is not None
            parameter.grad.add_(parameter.detach() - start, alpha=2 * self._strength)

    def penalty(self) -> Tensor:
        """0-d, the term itself."""
        with torch.no_grad():
            parts = [(p - start).square().sum().double() for p, start in self._pairs]
        return self._strength * torch.stack(parts).sum()

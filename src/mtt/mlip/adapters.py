"""Low-rank corrections of linear layers (LoRA: Hu et al., arXiv:2106.09685).

W x becomes (W + α / r · up · down) x, with W frozen, ``up`` [out, r] zero at the start and
``down`` [r, in] random. Layers with a matrix for each element get a correction for each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from mtt.nn import SpeciesLinear

WEIGHT = "weight"


class LowRank(torch.nn.Module):
    """``weight + alpha / rank · up @ down``, ``weight`` unchanged until the first step.

    :param weight: [..., out, in]; ranks above ``min(out, in)`` would add nothing, so that is
        the largest one taken.
    """

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        *batch, n_out, n_in = weight.shape
        self.factor = alpha / rank
        self.rank = min(rank, n_out, n_in)
        self.down = torch.nn.Parameter(weight.new_empty(*batch, self.rank, n_in))
        self.up = torch.nn.Parameter(weight.new_zeros(*batch, n_out, self.rank))
        bound = 1 / math.sqrt(n_in)  # as torch.nn.Linear
        torch.nn.init.uniform_(self.down, -bound, bound)

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.factor * (self.up @ self.down)

    def extra_repr(self) -> str:
        return f"rank={self.rank}, factor={self.factor:.4g}"


def linear_layers(model: torch.nn.Module) -> list[str]:
    """Names of the layers that can be corrected: ``torch.nn.Linear`` and ``SpeciesLinear``."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | SpeciesLinear)
    ]


def add_adapters(
    model: torch.nn.Module, layers: Sequence[str], rank: int, alpha: float
) -> list[torch.nn.Parameter]:
    """Correct the weights of ``layers``; the same Parameters stay, frozen.

    :return: the new parameters.
    """
    added: list[torch.nn.Parameter] = []
    for name in layers:
        layer = model.get_submodule(name)
        weight = layer.get_parameter(WEIGHT)
        correction = LowRank(weight.detach(), rank, alpha)
        parametrize.register_parametrization(layer, WEIGHT, correction)
        weight.requires_grad_(False)
        added += [correction.down, correction.up]
    return added


def merge_adapters(model: torch.nn.Module) -> None:
    """Put all corrections into plain weights, as if they had never been apart."""
    for module in list(model.modules()):
        corrected = parametrize.is_parametrized(module, WEIGHT)
        if corrected and any(isinstance(one, LowRank) for one in corrections(module)):
            parametrize.remove_parametrizations(module, WEIGHT, leave_parametrized=True)


def corrections(layer: torch.nn.Module) -> list[torch.nn.Module]:
    """What is laid over the weights of ``layer``."""
    container = layer.parametrizations
    assert isinstance(container, torch.nn.ModuleDict)
    return list(container[WEIGHT].children())

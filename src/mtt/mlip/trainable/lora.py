"""Low-rank corrections of linear layers (LoRA: Hu et al., arXiv:2106.09685).

W x becomes (W + α / r · up · down) x, with W frozen, ``up`` [out, r] zero at the start and
``down`` [r, in] random. Layers with a matrix for each element get a correction for each, and so do
layers that say that their weight is a row of matrices (:data:`BLOCKS`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from mtt.nn import SpeciesLinear

WEIGHT = "weight"
BLOCKS = "weight_blocks"
"""Attribute of a layer whose weight is a row of matrices: their shapes (in, out), in order. Such
are equivariant linear layers, with a matrix for each pair of irreducible representations."""


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


class LowRankBlocks(torch.nn.Module):
    """The same for a weight that is a row of matrices [in, out], each with its own correction.

    Their numbers are of order one, and divided by the square root of their number elsewhere, as in
    e3nn; so are those of ``down``.

    :param blocks: shapes of the matrices.
    """

    def __init__(
        self, weight: Tensor, blocks: Sequence[tuple[int, int]], rank: int, alpha: float
    ) -> None:
        super().__init__()
        sizes = sum(n_in * n_out for n_in, n_out in blocks)
        assert sizes == weight.numel(), f"{blocks} are not all of {tuple(weight.shape)}"
        self.factor = alpha / rank
        down, up = [], []
        for n_in, n_out in blocks:
            own = min(rank, n_in, n_out)
            down.append(torch.nn.Parameter(weight.new_empty(n_in, own).uniform_(-1.0, 1.0)))
            up.append(torch.nn.Parameter(weight.new_zeros(own, n_out)))
        self.down, self.up = torch.nn.ParameterList(down), torch.nn.ParameterList(up)

    def forward(self, weight: Tensor) -> Tensor:
        parts = [(down @ up).flatten() for down, up in zip(self.down, self.up, strict=True)]
        return weight + self.factor * torch.cat(parts).view_as(weight)

    def extra_repr(self) -> str:
        return f"{len(self.down)} matrices, factor={self.factor:.4g}"


def linear_layers(model: torch.nn.Module) -> list[str]:
    """Names of the layers that can be corrected: ``torch.nn.Linear``, ``SpeciesLinear``, and those
    with :data:`BLOCKS`.

    Not those whose weights are computed from others by the architecture itself.
    """
    return [
        name
        for name, module in model.named_modules()
        if (isinstance(module, torch.nn.Linear | SpeciesLinear) or getattr(module, BLOCKS, None))
        and not parametrize.is_parametrized(module)
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
        blocks = getattr(layer, BLOCKS, None)
        correction = (
            LowRankBlocks(weight.detach(), blocks, rank, alpha)
            if blocks
            else LowRank(weight.detach(), rank, alpha)
        )
        parametrize.register_parametrization(layer, WEIGHT, correction)
        weight.requires_grad_(False)
        added += correction.parameters()
    return added


def merge_adapters(model: torch.nn.Module) -> None:
    """Put all corrections into plain weights, as if they had never been apart."""
    for layer in list(model.modules()):
        if not _is_corrected(layer):
            continue
        weight: Tensor = getattr(layer, WEIGHT)
        # torch's own removal deletes a property of the class, which copies of a layer share:
        # those would lose their weights
        del layer.parametrizations
        layer.__class__ = type(layer).__bases__[0]
        layer.register_parameter(WEIGHT, torch.nn.Parameter(weight.detach()))


def _is_corrected(layer: torch.nn.Module) -> bool:
    if not parametrize.is_parametrized(layer, WEIGHT):
        return False
    container = layer.parametrizations
    assert isinstance(container, torch.nn.ModuleDict)
    return any(isinstance(child, LowRank | LowRankBlocks) for child in container[WEIGHT].children())

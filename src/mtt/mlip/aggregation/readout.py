"""The platform's part of a read-out: weights of atoms, and spectra from a few numbers."""

from typing import Dict, List, Optional, Tuple

import torch
from torch import Tensor

from mtt.data.info import DatasetInfo
from mtt.mlip.support import check_shape


class Whole(torch.nn.Module):
    """The numbers of a network as they are."""

    def forward(self, numbers: Tensor) -> Tensor:
        return numbers


class Spectrum(torch.nn.Module):
    """A linear map from ``rank`` numbers to the ``properties`` of a spectrum, for each atom.

    In the place of a last layer with as many rows as the spectrum has points: for r = rank, n
    features and p points, (n + p) r products instead of n p, and in architectures that read pairs
    r numbers for each pair instead of p.
    """

    def __init__(self, rank: int, properties: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(properties, rank) / rank**0.5)

    def forward(self, numbers: Tensor) -> Tensor:
        """[n_atoms, properties] from [n_atoms, rank], in the precision of the weights."""
        return torch.nn.functional.linear(numbers.to(self.weight.dtype), self.weight)

    def extra_repr(self) -> str:
        return f"rank={self.weight.shape[1]}, properties={self.weight.shape[0]}"


class Readout(torch.nn.Module):
    """From what a network gives to values of the targets, and logarithms of learned weights."""

    def __init__(self, info: DatasetInfo) -> None:
        super().__init__()
        targets = info.targets
        self.names: List[str] = list(targets)
        self.learned: List[bool] = [t.pooling == "learned" for t in targets.values()]
        self.maps = torch.nn.ModuleList(
            Spectrum(t.rank, t.properties) if t.rank else Whole() for t in targets.values()
        )
        self.widths: List[List[int]] = [
            [*t.shape[:-1], (t.rank or t.properties) + (t.pooling == "learned")]
            for t in targets.values()
        ]

    def forward(self, raw: Dict[str, Tensor]) -> Tuple[Dict[str, Tensor], Dict[str, Tensor]]:
        """Values [n_atoms, *shape] of every target, and [n_atoms, 1] of those that are weighted.

        :raises ArchitectureError: the network gives another number of them.
        """
        values: Dict[str, Tensor] = {}
        logits: Dict[str, Tensor] = {}
        for i, one in enumerate(self.maps):
            name = self.names[i]
            numbers = raw[name]
            if numbers.dim() == 1:
                numbers = numbers[:, None]
            if not torch.jit.is_scripting():
                check_shape(name, numbers.shape[1:], self.widths[i])
            if self.learned[i]:
                logits[name] = numbers[:, -1:]
                numbers = numbers[:, :-1]
            values[name] = one(numbers)
        return values, logits


def make_readout(info: DatasetInfo) -> Optional[Readout]:
    """The read-out, where a target needs one; its weights are drawn from torch's generator."""
    needed = [t.rank > 0 or t.pooling == "learned" for t in info.targets.values()]
    return Readout(info) if any(needed) else None

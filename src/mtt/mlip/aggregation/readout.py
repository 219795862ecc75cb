"""The platform's part of a read-out: weights of atoms, and spectra from a few numbers."""

import math
from typing import Dict, List, Tuple

import torch
from torch import Tensor

from mtt.data.info import DatasetInfo
from mtt.mlip.support import check_shape


class Spectrum(torch.nn.Module):
    """A linear map from ``rank`` numbers to the ``properties`` of a spectrum.

    In the place of a last layer with as many rows as the spectrum has points. It commutes with sums
    and means over atoms, and is applied to those: once for a structure, not for each atom, or for
    each pair in architectures that read pairs.
    """

    def __init__(self, rank: int, properties: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(properties, rank) / rank**0.5)

    def forward(self, numbers: Tensor) -> Tensor:
        """[n, properties] from [n, rank], in the precision of the weights."""
        return torch.nn.functional.linear(numbers.to(self.weight.dtype), self.weight)

    def extra_repr(self) -> str:
        return f"rank={self.weight.shape[1]}, properties={self.weight.shape[0]}"


class Readout(torch.nn.Module):
    """From what a network gives for an atom to what is pooled, and on to the values of targets.

    Of a spectrum y = a M z + c with M the map, z the numbers of the network, a the scale and c the
    baseline of an element, the numbers z and the element (as 0 and 1) are pooled: both a M and the
    baselines are rows of one matrix. So are most spectra; the largest value of atoms is found of
    their whole spectra.
    """

    mapped: List[str]  # targets with a map
    late: List[bool]  # of those, whether the map comes after the pooling
    places: List[Tuple[int, int, int]]  # of those: number of the target, and its columns
    # declared here: all targets may be of pairs, and TorchScript cannot see types of empty ones
    learned: Dict[str, bool]
    symmetries: Dict[str, Tuple[bool, bool]]
    widths: Dict[str, List[int]]
    shapes: Dict[str, List[int]]  # of what is pooled

    def __init__(self, info: DatasetInfo) -> None:
        super().__init__()
        targets, self.n_types = info.targets, len(info.atomic_types)
        self.learned = {n: t.pooling == "learned" for n, t in targets.items() if not t.per_pair}
        self.symmetries = {name: targets[name].of_kind.symmetries for name in self.learned}
        self.widths = {
            name: [
                *targets[name].shape[:-1],
                (targets[name].rank or targets[name].properties) + one,
            ]
            for name, one in self.learned.items()
        }
        self.maps = torch.nn.ModuleList(
            Spectrum(t.rank, t.properties) for t in targets.values() if t.rank
        )
        self.mapped, self.late, self.places = [], [], []
        self.shapes = {}
        start = 0
        for i, (name, target) in enumerate(targets.items()):
            end = start + math.prod(target.shape)
            late = target.rank > 0 and target.pooling != "max"
            if target.rank:
                self.mapped.append(name)
                self.late.append(late)
                self.places.append((i, start, end))
            last = target.rank + self.n_types if late else target.properties
            last = last + self.learned.get(name, False)
            self.shapes[name] = [*target.shape[:-1], last]
            start = end

    def forward(
        self, raw: Dict[str, Tensor], types: Tensor
    ) -> Tuple[Dict[str, Tensor], Dict[str, Tensor], Dict[str, Tensor]]:
        """Numbers [n_atoms, *shape] of the network; of spectra z and elements; of weights, s.

        :param types: [n_atoms] of the graph.
        :raises ArchitectureError: the network gives another number of them.
        """
        values: Dict[str, Tensor] = {}
        few: Dict[str, Tensor] = {}
        logits: Dict[str, Tensor] = {}
        for name, learned in self.learned.items():
            symmetric, traceless = self.symmetries[name]
            numbers = raw[name]
            if numbers.dim() == 1:
                numbers = numbers[:, None]
            if not torch.jit.is_scripting():
                check_shape(name, numbers.shape[1:], self.widths[name])
            if learned:
                logits[name] = numbers[:, -1:]
                numbers = numbers[:, :-1]
            values[name] = constrained(numbers, symmetric, traceless)
        for k, one in enumerate(self.maps):
            name = self.mapped[k]
            if self.late[k]:
                elements = torch.eye(self.n_types, dtype=torch.float64, device=types.device)
                few[name] = torch.cat([values[name].to(torch.float64), elements[types]], dim=1)
            else:
                values[name] = one(values[name])
        return values, few, logits

    def matrices(self, scales: Tensor, table: Tensor) -> Dict[str, Tensor]:
        """[rank + n_types, properties] float64 that make spectra of what was pooled.

        :param scales: [n_targets] float64.
        :param table: [n_types, Σ numbers of a sample] float64, the baselines by composition.
        """
        found: Dict[str, Tensor] = {}
        for k, one in enumerate(self.maps):
            if self.late[k]:
                i, start, end = self.places[k]
                weight = one.weight.t()  # type: ignore[operator]
                rows = weight.to(torch.float64) * scales[i]
                found[self.mapped[k]] = torch.cat([rows, table[:, start:end]])
        return found

    def extra_repr(self) -> str:
        return f"learned weights of {[name for name, one in self.learned.items() if one]}"


def constrained(tensors: Tensor, symmetric: bool, traceless: bool) -> Tensor:
    """``tensors`` [n, 3, 3, properties] as the target is declared; those that are so stay as is.

    Other shapes have neither symmetry. Without a trace they are float64, so that none is left.
    """
    if symmetric:
        tensors = 0.5 * (tensors + tensors.transpose(1, 2))
    if traceless:
        tensors = tensors.to(torch.float64)
        trace = tensors[:, 0, 0] + tensors[:, 1, 1] + tensors[:, 2, 2]
        unit = torch.eye(3, dtype=torch.float64, device=tensors.device)
        tensors = tensors - (trace / 3.0)[:, None, None] * unit[:, :, None]
    return tensors

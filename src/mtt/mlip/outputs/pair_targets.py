"""Values of pairs of atoms: from the numbers of a network to targets and outputs; TorchScript."""

from typing import Dict, List, Optional, Tuple

import numpy as np
import torch
from metatensor.torch import Labels
from metatomic.torch import System
from torch import Tensor

from mtt.data.info import DatasetInfo, TargetInfo
from mtt.data.tensor_maps import PAIR
from mtt.graph import Graph
from mtt.mlip.support import check_shape
from mtt.mlip.systems import list_of, owners, pairs_within, seen_pairs
from mtt.nn.reverse import reverse_pairs


class PairTarget(torch.nn.Module):
    """What a target of pairs makes of the numbers of the network.

    Of a target with ``exchange``, the mean of the pair (i, j) and of (j, i) with its components in
    their places, so that it is symmetric exactly; of elements, zero where a pair has other ones.
    """

    places: Tensor
    signs: Tensor
    first: Tensor
    second: Tensor

    def __init__(self, info: TargetInfo, atomic_types: List[int]) -> None:
        super().__init__()
        kind, p = info.of_kind, info.properties
        self.exchanges = bool(info.exchange)
        self.of_elements = len(kind.elements) > 0
        sign = -1.0 if info.exchange == "antisymmetric" else 1.0
        places = torch.tensor([place * p + i for place, _ in kind.exchange for i in range(p)])
        signs = torch.tensor([sign * one for _, one in kind.exchange for _ in range(p)])
        numbers = np.array(atomic_types, dtype=np.int64)
        own = [torch.from_numpy(kind.own(numbers, second=second)) for second in (False, True)]
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("signs", signs.double(), persistent=False)
        self.register_buffer("first", own[0].repeat_interleave(p, dim=1), persistent=False)
        self.register_buffer("second", own[1].repeat_interleave(p, dim=1), persistent=False)

    def forward(self, numbers: Tensor, graph: Graph, reverse: Tensor) -> Tensor:
        """[K, *shape] float64, without the scale.

        :param numbers: [K, *shape] of the network.
        :param reverse: [K] int64, number of the same pair seen from its other end.
        """
        flat = numbers.to(torch.float64).flatten(1)
        if self.exchanges:
            places, signs = self.places, self.signs
            flat = 0.5 * (flat + flat.index_select(0, reverse).index_select(1, places) * signs)
        if self.of_elements:
            here = self.first.index_select(0, graph.types[graph.centers])
            there = self.second.index_select(0, graph.types[graph.neighbors])
            flat = flat * (here & there)
        return flat.reshape(numbers.shape)


class PairTargets(torch.nn.Module):
    """The targets of pairs of a data set; there may be none."""

    names: List[str]
    numbers: List[int]  # of the targets, among all of them
    shapes: List[List[int]]

    def __init__(self, info: DatasetInfo) -> None:
        super().__init__()
        self.names, self.numbers, self.shapes = [], [], []
        self.targets = torch.nn.ModuleList()
        for i, (name, target) in enumerate(info.targets.items()):
            if target.per_pair:
                self.names.append(name)
                self.numbers.append(i)
                self.shapes.append(list(target.shape))
                self.targets.append(PairTarget(target, [int(z) for z in info.atomic_types]))
        self.exchanges = any(info.targets[name].exchange != "" for name in self.names)

    def forward(
        self, raw: Dict[str, Tensor], graph: Graph, listed: float, cutoff: float, scales: Tensor
    ) -> Dict[str, Tensor]:
        """Values [P, *shape] float64 of all pairs of ``graph``; zero beyond ``cutoff``.

        :param raw: of the network, [K, *shape] of the pairs within its cutoff.
        :param listed: radius of the neighbour list of ``graph``, at least ``cutoff``.
        :param scales: [n_targets] float64, of all targets.
        """
        found: Dict[str, Tensor] = {}
        if len(self.names) == 0:
            return found
        within = seen_pairs(graph, listed, cutoff)
        reverse = within.centers
        if self.exchanges:
            of = (within.centers, within.neighbors, within.vectors, graph.types.shape[0])
            reverse = reverse_pairs(of[0], of[1], of[2], of[3], within.rows)
        for k, one in enumerate(self.targets):
            numbers = raw[self.names[k]]
            if numbers.dim() == 1:
                numbers = numbers[:, None]
            if not torch.jit.is_scripting():
                check_shape(self.names[k], numbers.shape[1:], self.shapes[k], "pair")
            values: Tensor = one(numbers, within, reverse) * scales[self.numbers[k]]
            if listed > cutoff:
                seen = graph.seen
                kept = pairs_within(graph, cutoff) if seen is None else seen
                shape = [graph.centers.shape[0]]
                shape.extend(values.shape[1:])
                values = values.new_zeros(shape).index_copy(0, kept, values)
            found[self.names[k]] = values
        return found


def pair_samples(systems: List[System], cutoff: float) -> Tensor:
    """[P, 6] int32 :data:`mtt.data.tensor_maps.PAIR`, in the order of the graph of ``systems``."""
    samples: List[Tensor] = []
    sizes: List[int] = []
    for one in systems:
        listed = one.get_neighbor_list(list_of(cutoff)).samples.values
        samples.append(listed)
        sizes.append(listed.shape[0])
    pairs = torch.cat(samples)
    system = owners(list(range(len(systems))), sizes, pairs.device)
    widths = pairs[:, 0].to(torch.long)
    most = widths.max() + 1 if widths.shape[0] > 0 else torch.zeros_like(system.sum())
    order = torch.argsort(system * most + widths, stable=True)
    return torch.cat([system[:, None].to(pairs.dtype), pairs], dim=1)[order]


def of_pairs(
    values: Tensor, graph: Graph, pairs: Tensor, selected: Optional[Tensor]
) -> Tuple[Tensor, Labels, Tensor, Tensor]:
    """Values of pairs whose first atom counts, what they are of, and the types of both atoms.

    :param pairs: [P, 6] by :func:`pair_samples`.
    :param selected: [n_atoms] bool; None for all.
    """
    first, second = graph.types[graph.centers], graph.types[graph.neighbors]
    if selected is not None:
        kept = selected[graph.centers]
        values, pairs, first, second = values[kept], pairs[kept], first[kept], second[kept]
    names = ["system", "first_atom", "second_atom", "cell_shift_a", "cell_shift_b", "cell_shift_c"]
    if not torch.jit.is_scripting():
        assert names == list(PAIR)
    return values, Labels(names, pairs), first, second

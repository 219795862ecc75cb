"""Between metatomic's values and ours; what takes tensors is compiled by TorchScript."""

from typing import List, Optional, Sequence

import torch
from metatensor.torch import Labels
from metatomic.torch import NeighborListOptions, System
from torch import Tensor

from mtt.graph import Graph


def list_of(cutoff: float) -> NeighborListOptions:
    """The neighbour list of all ordered pairs closer than ``cutoff``."""
    return NeighborListOptions(cutoff=cutoff, full_list=True, strict=True)


def systems_to_graph(
    systems: List[System],
    options: NeighborListOptions,
    type_index: Tensor,
    dtype: torch.dtype,
) -> Graph:
    """One graph of all ``systems``; the pair vectors keep their gradient.

    Vectors are formed by the caller in the systems' own precision (float64 in
    exported models) and only then cast to ``dtype``.

    :param type_index: [≥ max Z + 1] int64, atomic number to index of the element.
    """
    types: List[Tensor] = []
    samples: List[Tensor] = []
    vectors: List[Tensor] = []
    positions: List[Tensor] = []
    cells: List[Tensor] = []
    n_atoms: List[int] = []
    n_pairs: List[int] = []
    for one in systems:  # no operation on a tensor here: a GPU would need as many as systems
        pairs = one.get_neighbor_list(options)
        types.append(one.types)
        samples.append(pairs.samples.values)
        vectors.append(pairs.values)
        positions.append(one.positions)
        cells.append(one.cell)
        n_atoms.append(one.types.shape[0])
        n_pairs.append(pairs.values.shape[0])
    # first_atom and second_atom come first, see metatomic's System.add_neighbor_list
    both = torch.cat(samples)[:, :2].to(torch.long)
    if len(systems) > 1:
        both = both + owners(starts_of(n_atoms), n_pairs, both.device)[:, None]
    # engines list pairs in any order; a stable sort makes the sums reproducible
    order = torch.argsort(both[:, 0], stable=True)
    centers, neighbors = both[order].unbind(1)
    return Graph(
        types=type_index[torch.cat(types).to(torch.long)],
        system=owners(list(range(len(systems))), n_atoms, both.device),
        n_systems=len(systems),
        centers=centers.contiguous(),
        neighbors=neighbors.contiguous(),
        vectors=torch.cat(vectors)[:, :, 0][order].to(dtype),
        positions=torch.cat(positions).to(dtype),
        cells=torch.stack(cells).to(dtype),
    )


def starts_of(sizes: List[int]) -> List[int]:
    """Number of the first of ``sizes[i]`` things, which follow one another."""
    starts: List[int] = []
    start = 0
    for size in sizes:
        starts.append(start)
        start += size
    return starts


def owners(numbers: List[int], sizes: List[int], device: torch.device) -> Tensor:
    """[Σ sizes] int64, ``numbers[i]`` repeated ``sizes[i]`` times; the host does not wait."""
    if len(sizes) == 1:
        return torch.full([sizes[0]], numbers[0], dtype=torch.long, device=device)
    table = torch.tensor([numbers, sizes], dtype=torch.long).to(device, non_blocking=True)
    return table[0].repeat_interleave(table[1], output_size=sum(sizes))


def type_index_of(atomic_types: Sequence[int]) -> Tensor:
    """[max Z + 1] int64, atomic number to its place in ``atomic_types``; -1 for others."""
    index = torch.full([max(atomic_types) + 1], -1, dtype=torch.long)
    index[list(atomic_types)] = torch.arange(len(atomic_types))
    return index


def seen_pairs(graph: Graph, listed: float, cutoff: float) -> Graph:
    """``graph`` without the pairs at ``cutoff`` and beyond, which the network must not see.

    :param listed: radius of the neighbour list.
    """
    if listed <= cutoff:
        return graph
    seen = graph.seen
    kept = pairs_within(graph, cutoff) if seen is None else seen
    return Graph(
        types=graph.types,
        system=graph.system,
        n_systems=graph.n_systems,
        centers=graph.centers[kept],
        neighbors=graph.neighbors[kept],
        vectors=graph.vectors[kept],
        positions=graph.positions,
        cells=graph.cells,
        charges=graph.charges,
        spins=graph.spins,
        numbers=graph.numbers,
        counts=graph.counts,
        prepared=graph.prepared,
    )


def pairs_within(graph: Graph, cutoff: float) -> Tensor:
    """[K] int64, the pairs that are closer than ``cutoff``. Synchronises a GPU."""
    return torch.nonzero(torch.linalg.vector_norm(graph.vectors, dim=1) < cutoff)[:, 0]


def atom_samples(systems: List[System]) -> Tensor:
    """[n_atoms, 2] int32: structure, and atom within it."""
    n_atoms = [one.types.shape[0] for one in systems]
    device = systems[0].types.device
    numbers = list(range(len(systems)))
    system = owners(numbers, n_atoms, device)
    atom = torch.arange(system.shape[0], device=device) - owners(
        starts_of(n_atoms), n_atoms, device
    )
    return torch.stack([system, atom], dim=1).to(torch.int32)


def selection_mask(samples: Tensor, selected: Optional[Labels]) -> Optional[Tensor]:
    """[n_atoms] bool, which atoms the engine asks for; None for all."""
    if selected is None:
        return None
    wanted = selected.values.to(device=samples.device, dtype=torch.int64)
    rows = samples.to(torch.int64)
    width = 1 + torch.max(torch.cat([rows[:, 1], wanted[:, 1]]))
    return torch.isin(rows[:, 0] * width + rows[:, 1], wanted[:, 0] * width + wanted[:, 1])

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
    system: List[Tensor] = []
    centers: List[Tensor] = []
    neighbors: List[Tensor] = []
    vectors: List[Tensor] = []
    positions: List[Tensor] = []
    cells: List[Tensor] = []
    first = 0
    for i in range(len(systems)):
        one = systems[i]
        n_atoms = one.types.shape[0]
        pairs = one.get_neighbor_list(options)
        types.append(type_index[one.types.to(torch.long)])
        system.append(torch.full([n_atoms], i, dtype=torch.long, device=one.types.device))
        centers.append(pairs.samples.column("first_atom").to(torch.long) + first)
        neighbors.append(pairs.samples.column("second_atom").to(torch.long) + first)
        vectors.append(pairs.values[:, :, 0])
        positions.append(one.positions)
        cells.append(one.cell)
        first += n_atoms
    center = torch.cat(centers)
    # engines list pairs in any order; a stable sort makes the sums reproducible
    order = torch.argsort(center, stable=True)
    return Graph(
        types=torch.cat(types),
        system=torch.cat(system),
        n_systems=len(systems),
        centers=center[order],
        neighbors=torch.cat(neighbors)[order],
        vectors=torch.cat(vectors)[order].to(dtype),
        positions=torch.cat(positions).to(dtype),
        cells=torch.stack(cells).to(dtype),
    )


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
        counts=graph.counts,
        prepared=graph.prepared,
    )


def pairs_within(graph: Graph, cutoff: float) -> Tensor:
    """[K] int64, the pairs that are closer than ``cutoff``. Synchronises a GPU."""
    return torch.nonzero(torch.linalg.vector_norm(graph.vectors, dim=1) < cutoff)[:, 0]


def atom_samples(systems: List[System]) -> Tensor:
    """[n_atoms, 2] int32: structure, and atom within it."""
    rows: List[Tensor] = []
    for i in range(len(systems)):
        atoms = torch.arange(
            systems[i].types.shape[0], dtype=torch.int32, device=systems[i].types.device
        )
        rows.append(torch.stack([torch.full_like(atoms, i), atoms], dim=1))
    return torch.cat(rows)


def selection_mask(samples: Tensor, selected: Optional[Labels]) -> Optional[Tensor]:
    """[n_atoms] bool, which atoms the engine asks for; None for all."""
    if selected is None:
        return None
    wanted = selected.values.to(device=samples.device, dtype=torch.int64)
    rows = samples.to(torch.int64)
    width = 1 + torch.max(torch.cat([rows[:, 1], wanted[:, 1]]))
    return torch.isin(rows[:, 0] * width + rows[:, 1], wanted[:, 0] * width + wanted[:, 1])

"""Between metatomic's values and ours; everything here is compiled by TorchScript."""

from typing import List, Optional

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import NeighborListOptions, System
from torch import Tensor

from mtt.graph import Graph


def systems_to_graph(
    systems: List[System],
    options: NeighborListOptions,
    type_index: Tensor,
    dtype: torch.dtype,
) -> Graph:
    """One graph of all ``systems``; the pair vectors keep their gradient.

    Vectors are formed by the caller in the systems' own precision (float64 at the door of
    an exported model) and only then cast to ``dtype``.

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


def pairs_within(graph: Graph, cutoff: float) -> Graph:
    """``graph`` without the pairs at ``cutoff`` and beyond."""
    kept = torch.linalg.vector_norm(graph.vectors, dim=1) < cutoff
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
    )


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


def scalar_map(
    atomic: Tensor,
    samples: Tensor,
    selected: Optional[Tensor],
    per_atom: bool,
    name: str,
    n_systems: int,
    mean: bool = False,
) -> TensorMap:
    """The values of one target as metatomic wants them, per atom or summed per structure.

    A structure without atoms has the sum zero.

    :param atomic: [n_atoms, properties] values of the atoms.
    :param samples: [n_atoms, 2] int32, structure and atom of each row.
    :param selected: [n_atoms] bool, the atoms that count; None for all. Structures without
        a selected atom are left out.
    :param name: name of the target; ``mtt::x`` and ``x/variant`` have the property ``x``.
    :param n_systems: number of structures.
    :param mean: of structures give the mean over the atoms that count, not the sum.
    """
    if selected is not None:
        atomic, samples = atomic[selected], samples[selected]
    names = ["system", "atom"]
    if not per_atom:
        names = ["system"]
        systems = torch.arange(n_systems, dtype=torch.int32, device=samples.device)
        of_atom = samples[:, 0].to(torch.long)
        if selected is not None:
            systems, of_atom = torch.unique_consecutive(samples[:, 0], return_inverse=True)
        zeros = atomic.new_zeros(systems.shape[0], atomic.shape[1])
        atomic = zeros.index_add(0, of_atom, atomic)
        if mean:
            sizes = torch.bincount(of_atom, minlength=systems.shape[0])
            atomic = atomic / sizes.clamp(min=1)[:, None]
        samples = systems[:, None]
    index = torch.arange(atomic.shape[1], dtype=torch.int32, device=atomic.device)
    block = TensorBlock(
        values=atomic,
        samples=Labels(names, samples),
        components=torch.jit.annotate(List[Labels], []),
        properties=Labels([name.split("::")[-1].split("/")[0]], index[:, None]),
    )
    key = torch.zeros(1, 1, dtype=torch.int32, device=atomic.device)
    return TensorMap(keys=Labels(["_"], key), blocks=[block])

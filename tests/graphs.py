"""Graphs of structures, by other code than the platform's; a plugin of pytest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest


@pytest.fixture(scope="session")
def make_graph() -> Callable[..., Any]:
    """``make_graph(structures, types, cutoff, dtype)``: some ``ase.Atoms``, by vesin alone."""
    import numpy as np
    import torch
    from vesin import NeighborList

    from mtt import Graph

    def make_graph(
        structures: Sequence[Any], types: Sequence[int], cutoff: float, dtype: Any = torch.float64
    ) -> Graph:
        finder = NeighborList(cutoff=cutoff, full_list=True)
        sizes = torch.tensor([len(atoms) for atoms in structures])
        firsts = sizes.cumsum(0) - sizes
        pairs, vectors = [], []
        for first, atoms in zip(firsts.numpy(), structures, strict=True):
            i, j, found = finder.compute(
                atoms.positions, atoms.cell.array, bool(atoms.pbc.any()), "ijD"
            )
            order = np.argsort(i, kind="stable")
            pairs.append(np.stack([i, j])[:, order].astype(np.int64) + first)
            vectors.append(found[order])
        # copies: for views of one tensor it is compiled again
        centers, neighbors = (torch.from_numpy(part.copy()) for part in np.hstack(pairs))
        return Graph(
            types=torch.tensor([types.index(z) for a in structures for z in a.numbers]),
            system=torch.arange(len(structures)).repeat_interleave(sizes),
            n_systems=len(structures),
            centers=centers,
            neighbors=neighbors,
            vectors=torch.from_numpy(np.concatenate(vectors)).to(dtype),
            positions=torch.from_numpy(np.concatenate([a.positions for a in structures])).to(dtype),
            cells=torch.from_numpy(np.stack([a.cell.array for a in structures])).to(dtype),
        )

    return make_graph

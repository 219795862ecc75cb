"""The structures that an exported model is tried on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ase
import numpy as np
import torch
from metatomic.torch import NeighborListOptions

from mtt.data.geometry.finder import Finder, Geometries
from mtt.exporting.probe import Structure

if TYPE_CHECKING:
    from mtt.data import Dataset

_SOURCE = "a structure that the exported model is tried on"


def trial_atoms(
    atomic_types: Sequence[int],
    cutoff: float,
    dataset: Dataset | None = None,
    examples: Sequence[ase.Atoms] = (),
) -> list[ase.Atoms]:
    """A few frames of ``dataset``, as they are and displaced, or random structures.

    Displaced frames have forces even where the frames are perfect crystals. Random structures
    are a cluster, a slab and a crystal of all the elements, with distances that follow from
    the ``cutoff``.

    :param cutoff: largest radius of the model's neighbour lists; lengths are in its unit.
    :param examples: instead of random structures, for a model that takes no others.
    """
    generator = np.random.default_rng(0)
    if dataset is not None:
        chosen = np.unique(np.linspace(0, len(dataset) - 1, 4).astype(int))
        examples = [dataset.atoms(int(i)) for i in chosen]
    elif not examples:
        periodic = ([False] * 3, [True, True, False], [True] * 3)
        return [_random_atoms(atomic_types, cutoff, pbc, generator) for pbc in periodic]
    displaced = [frame.copy() for frame in examples]
    for frame in displaced:
        frame.positions += generator.normal(0.0, 0.01 * cutoff, frame.positions.shape)
    return [*examples, *displaced]


def _random_atoms(
    atomic_types: Sequence[int], cutoff: float, pbc: list[bool], generator: np.random.Generator
) -> ase.Atoms:
    """A jittered 2 × 2 × 2 grid, 0.45 cutoffs wide a cell, that shows every element."""
    n = max(2, int(np.ceil(len(atomic_types) ** (1 / 3))))
    spacing = 0.45 * cutoff
    grid = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    positions = spacing * (grid + generator.uniform(-0.15, 0.15, grid.shape))
    # not a right angle among the cell vectors, so that every strain component is tried
    cell = n * spacing * np.array([[1.0, 0.0, 0.0], [0.1, 1.0, 0.0], [0.05, -0.1, 1.0]])
    numbers = generator.permutation(np.resize(np.asarray(atomic_types), len(positions)))
    cell[~np.asarray(pbc)] = 0.0
    return ase.Atoms(numbers, positions, cell=cell, pbc=pbc)


def structure(atoms: ase.Atoms, lists: Sequence[NeighborListOptions]) -> Structure:
    """``atoms`` as tensors, with their neighbour lists (vesin, float64)."""
    pbc = torch.tensor(atoms.pbc)
    cell = torch.from_numpy(np.array(atoms.cell)) * pbc[:, None]
    values = {
        "types": torch.tensor(atoms.numbers, dtype=torch.int32),
        "positions": torch.tensor(atoms.positions),
        "cell": cell,
        "pbc": pbc,
    }
    one = Geometries(
        atoms.positions, np.array([len(atoms)]), np.array(atoms.cell)[None], atoms.pbc[None]
    )
    for i, options in enumerate(lists):
        finder = Finder(options.cutoff, full_list=options.full_list, ordered=True)
        first, second, shifts, vectors = next(finder.each(one, "ijSD", lambda _: _SOURCE))
        samples = np.concatenate([np.stack([first, second], axis=1), shifts], axis=1)
        values[f"samples.{i}"] = torch.from_numpy(samples.astype(np.int32))
        values[f"vectors.{i}"] = torch.tensor(vectors)
    return values

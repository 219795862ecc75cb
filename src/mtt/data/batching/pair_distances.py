"""Labels of pairs of atoms against the pairs that a model sees."""

from __future__ import annotations

from collections import Counter

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from mtt.data.dataset import Dataset
from mtt.data.frames import Float
from mtt.data.storage.pair_labels import PairLabels, pair_targets
from mtt.errors import DataError, Problem
from mtt.stopping import stop_if_asked


def check_pairs(dataset: Dataset, cutoff: float) -> None:
    """Whether all labelled pairs are closer than ``cutoff``, of the network.

    :raises DataError: one is not; names frame, atoms, distance, and the cutoff that is needed.
    """
    problems = []
    for name, shape in pair_targets(dataset.info).items():
        labels = dataset.columns.labels_of_pairs(name, shape).of(dataset.structures)
        distances = distances_of(dataset, labels)
        outside = np.flatnonzero(~(distances < cutoff))
        if len(outside):
            problems.append(_problem(dataset, name, labels, distances, outside, cutoff))
    if problems:
        raise DataError.collect(problems)


def distances_of(dataset: Dataset, labels: PairLabels) -> Float:
    """[L] distance of each labelled pair, in the unit of length of the data."""
    found = [np.zeros(0)]
    counts = np.diff(labels.offsets)
    start = 0
    for chunk in dataset.columns.chunks(dataset.structures):
        stop_if_asked()
        n = len(chunk)
        positions = dataset.columns.take("positions", chunk, per_atom=True).numpy()
        cells = dataset.columns.take("cells", chunk, per_atom=False).numpy()
        n_atoms = dataset.columns.n_atoms[chunk]
        first = np.cumsum(n_atoms) - n_atoms
        rows = labels.pairs[labels.offsets[start] : labels.offsets[start + n]].astype(np.int64)
        owner = np.repeat(np.arange(n), counts[start : start + n])
        ends = [positions[first[owner] + rows[:, k]] for k in (0, 1)]
        moved = np.einsum("pa,pab->pb", rows[:, 2:].astype(np.float64), cells[owner])
        found.append(np.linalg.norm(ends[1] - ends[0] + moved, axis=1))
        start += n
    return np.concatenate(found)


def _problem(
    dataset: Dataset,
    name: str,
    labels: PairLabels,
    distances: Float,
    outside: NDArray[np.int64],
    cutoff: float,
) -> Problem:
    row = int(outside[0])
    i = int(np.searchsorted(labels.offsets, row, side="right")) - 1
    first, second, *shift = labels.pairs[row].tolist()
    numbers = dataset.atoms(i).numbers
    atoms = " and ".join(f"{chemical_symbols[numbers[k]]}{k}" for k in (first, second))
    image = f" in cell {shift}" if any(shift) else ""
    unit = f" {dataset.info.length_unit}".rstrip()
    structures = np.searchsorted(labels.offsets, outside, side="right") - 1
    more = f" ({len(outside)} pairs of {len(Counter(structures.tolist()))} structures)"
    what = (
        f"the pair of {atoms}{image} has a label of {name!r} at {distances[row]:.4g}{unit}, "
        f"outside of the model's cutoff of {cutoff:g}{unit}{more * (len(outside) > 1)}"
    )
    largest = float(distances.max())
    hint = (
        f"write architecture.model.cutoff: {np.ceil(10 * largest + 0.1) / 10:g}, "
        "or leave these labels out of the file"
    )
    return Problem(what, dataset.source(i), hint)

"""Predictions of a bounded sample of structures, with their labels: for parity plots."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mtt.data import Dataset
from mtt.data.combine import merge_infos
from mtt.data.info import DatasetInfo
from mtt.evaluation.predict import Prediction, predict
from mtt.evaluation.quantities import Quantity, quantities
from mtt.evaluation.sums import part_of
from mtt.graph import Target
from mtt.interface import ModelInterface

ORDER = ("validation", "test", "training")
"""Parts, the most informative first: where the time ends early, these have been predicted."""

_CHUNK = 16  # structures: memory stays that of a training step
_SEED = 20


class Limits(NamedTuple):
    """How much is predicted and kept.

    :param structures: of each part.
    :param atoms: of each part.
    :param entries: components of each quantity and part.
    :param seconds: after which no further batch begins.
    """

    structures: int = 2000
    atoms: int = 100_000
    entries: int = 8000
    seconds: float = 10.0


class Entries(NamedTuple):
    """Labelled components of one quantity in one batch, one after the other."""

    row: NDArray[Any]  # structure, among all that are predicted
    element: NDArray[Any]  # atomic number; 0: of the structure
    reference: NDArray[Any]
    predicted: NDArray[Any]


class Sample:
    """Structures that were predicted, one after the other, and what was found.

    :param quantities: what is compared.
    """

    def __init__(self, quantities: Sequence[Quantity], parts: Sequence[str]) -> None:
        self.quantities, self.parts = tuple(quantities), tuple(parts)
        self.part: list[int] = []
        self.set: list[int] = []
        self.source: list[str] = []
        self.n_atoms: list[int] = []
        self.entries: list[list[Entries]] = [[] for _ in self.quantities]
        self.seconds = 0.0
        self.members: list[tuple[Dataset, int]] = []

    def __len__(self) -> int:
        return len(self.part)

    def joined(self, quantity: int) -> Entries:
        """All entries of one quantity."""
        found = self.entries[quantity]
        if not found:
            nothing = np.zeros(0)
            return Entries(nothing.astype(int), nothing.astype(int), nothing, nothing)
        return Entries(*(np.concatenate(column) for column in zip(*found, strict=True)))


def sample(
    model: ModelInterface,
    parts: Mapping[str, Sequence[Dataset]],
    limits: Limits,
    device: torch.device | str = "cpu",
) -> Sample:
    """Predict structures of ``parts``, drawn at random, within ``limits``.

    No random number of the process is drawn. At least one batch is predicted.
    """
    named = [name for name in parts if any(map(len, parts[name]))]
    info = merge_infos([one.info for name in named for one in parts[name]])
    found = Sample(quantities(info, totals=False, extended=False), named)
    queue = deque(
        (_chunks(parts[name], limits, np.random.default_rng(_SEED)), named.index(name))
        for name in sorted(named, key=lambda one: ORDER.index(one) if one in ORDER else -1)
    )
    begin = time.perf_counter()
    while queue and (not len(found) or time.perf_counter() - begin < limits.seconds):
        chunks, number = queue.popleft()
        chunk = next(chunks, None)
        if chunk is None:
            continue
        which, dataset, structures = chunk
        for prediction in predict(
            model, dataset.select(structures), batch_size=_CHUNK, device=device
        ):
            _add(found, prediction, number, which, dataset, structures, info)
        queue.append((chunks, number))
    found.seconds = time.perf_counter() - begin
    return found


def _chunks(
    sets: Sequence[Dataset], limits: Limits, random: np.random.Generator
) -> Iterator[tuple[int, Dataset, NDArray[np.int64]]]:
    """Structures in random order, some of one data set at a time."""
    lengths = np.array([len(one) for one in sets])
    starts = np.cumsum(lengths) - lengths
    whole = int(lengths.sum())
    chosen = random.permutation(whole)[: limits.structures]
    atoms = 0
    for first in range(0, len(chosen), _CHUNK):
        some = chosen[first : first + _CHUNK]
        which = np.searchsorted(starts, some, side="right") - 1
        for number in np.unique(which).tolist():
            mine = np.sort(some[which == number] - starts[number])
            atoms += int(sets[number].columns.n_atoms[sets[number].structures[mine]].sum())
            if atoms > limits.atoms and first:
                return
            yield number, sets[number], mine


def _add(
    found: Sample,
    prediction: Prediction,
    part: int,
    which: int,
    dataset: Dataset,
    structures: NDArray[np.int64],
    info: DatasetInfo,
) -> None:
    start, n = len(found), len(prediction.n_atoms)
    mine = structures[prediction.index.cpu().numpy()]
    found.part += [part] * n
    found.set += [which] * n
    found.source += [dataset.source(int(i)) for i in mine]
    found.members += [(dataset, int(i)) for i in mine]
    n_atoms = prediction.n_atoms.cpu().numpy()
    found.n_atoms += n_atoms.tolist()
    numbers = dataset.select(mine).types.numpy()
    owner = np.repeat(np.arange(n), n_atoms)
    volumes = prediction.volumes.cpu().numpy()
    for number, quantity in enumerate(found.quantities):
        predicted, label = (
            prediction.targets.get(quantity.target),
            prediction.labels.get(quantity.target),
        )
        if predicted is None or label is None:
            continue
        pair = _values(quantity, predicted, label)
        if pair is None:
            continue
        per_atom = quantity.part == "forces" or info.targets[quantity.target].per_atom
        rows = owner if per_atom else np.arange(n)
        elements = numbers if per_atom else np.zeros(n, dtype=np.int64)
        counted, sizes = _sizes(quantity, pair[1], n_atoms, volumes)
        keep = np.nonzero(counted)
        found.entries[number].append(
            Entries(
                start + rows[keep[0]],
                elements[keep[0]],
                pair[1][keep] / sizes[keep[0]],
                pair[0][keep] / sizes[keep[0]],
            )
        )


def _values(
    quantity: Quantity, predicted: Target, label: Target
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Prediction and label, [samples, components]; None where a side lacks the part."""
    found = [part_of(quantity.part, one) for one in (predicted, label)]
    if found[0] is None or found[1] is None:
        return None
    arrays = [one.detach().double().cpu().flatten(1).numpy() for one in found if one is not None]
    return arrays[0], arrays[1]


def _sizes(
    quantity: Quantity, label: NDArray[Any], n_atoms: NDArray[Any], volumes: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Which components count, and what each sample is divided by; as in
    :func:`mtt.evaluation.sums.residual`."""
    counted = np.isfinite(label)
    if quantity.part == "stress":
        known = np.isfinite(volumes) & (volumes > 0)
        return counted & known[:, None], np.where(known, volumes, 1.0)
    if quantity.part in ("per atom", "virial"):
        return counted, n_atoms.astype(float)
    return counted, np.ones(len(label))

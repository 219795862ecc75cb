"""Predictions of structures with their labels, for parity plots: of all of them, or of a sample.

An evaluation that predicts everything hands its batches to a :class:`Collector`; where there is
none, :func:`sample` predicts as many structures as the time allows.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
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
    component: NDArray[Any]  # its place among the numbers of a structure or atom


class Sample:
    """Structures that were predicted, one after the other, and what was found.

    :param compared: the quantities.
    """

    def __init__(self, compared: Sequence[Quantity], parts: Sequence[str]) -> None:
        self.quantities, self.parts = tuple(compared), tuple(parts)
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
            none = nothing.astype(int)
            return Entries(none, none, nothing, nothing, none)
        return Entries(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def add(
        self,
        prediction: Prediction,
        part: int,
        sets: NDArray[np.int64],
        dataset: Dataset,
        structures: NDArray[np.int64],
        info: DatasetInfo,
    ) -> None:
        """Keep a batch.

        :param part: number of the part.
        :param sets: [n] which data set of the part each structure is in.
        :param structures: [n] their numbers in ``dataset``.
        :param info: of the targets that are compared.
        """
        start, n_atoms = len(self), prediction.n_atoms.cpu().numpy()
        self.part += [part] * len(structures)
        self.set += sets.tolist()
        self.source += [dataset.source(int(i)) for i in structures]
        self.members += [(dataset, int(i)) for i in structures]
        self.n_atoms += n_atoms.tolist()
        numbers = dataset.select(structures).types.numpy()
        plain = quantities(info, totals=False, extended=False)  # entries are of no pairs
        own = {_key(one) for one in plain if not info.targets[one.target].per_pair}
        for number, quantity in enumerate(self.quantities):
            if _key(quantity) in own:
                per_atom = quantity.part == "forces" or info.targets[quantity.target].per_atom
                elements = numbers if per_atom else np.zeros(len(n_atoms), dtype=np.int64)
                found = _entries(prediction, quantity, n_atoms, elements)
                if found is not None:
                    self.entries[number].append(found._replace(row=start + found.row))


class Collector:
    """Keeps what an evaluation of whole parts predicts for structures that are drawn beforehand.

    No random number of the process is drawn.

    :param parts: data sets, one after the other, that each part consists of.
    :param most: structures of a part, if not as many as ``limits`` say.
    """

    def __init__(
        self,
        parts: Mapping[str, Sequence[Dataset]],
        limits: Limits,
        most: Mapping[str, int] | None = None,
    ) -> None:
        self._parts = {name: sets for name, sets in parts.items() if any(map(len, sets))}
        infos = [one.info for sets in self._parts.values() for one in sets]
        self.found = Sample(_compared(infos), list(self._parts))
        self._drawn: dict[str, NDArray[np.bool_]] = {}
        for name, sets in self._parts.items():
            n = (most or {}).get(name, limits.structures)
            self._drawn[name] = np.zeros(sum(map(len, sets)), dtype=bool)
            self._drawn[name][drawn(sets, limits._replace(structures=n))] = True

    def of(self, part: str) -> Callable[[Dataset, Prediction], None] | None:
        """What takes the batches of a part, in the order of its data sets; None of another."""
        return partial(self._take, part) if part in self._parts else None

    def _take(self, part: str, dataset: Dataset, prediction: Prediction) -> None:
        begin = time.perf_counter()
        index = prediction.index.cpu().numpy()
        keep = self._drawn[part][index]
        if keep.any():
            some = prediction if keep.all() else _only(prediction, keep, dataset.info)
            ends = np.cumsum([len(one) for one in self._parts[part]])
            sets = np.searchsorted(ends, index[keep], side="right")
            number = self.found.parts.index(part)
            self.found.add(some, number, sets, dataset, index[keep], dataset.info)
        self.found.seconds += time.perf_counter() - begin


def sample(
    model: ModelInterface,
    parts: Mapping[str, Sequence[Dataset]],
    limits: Limits,
    device: torch.device | str = "cpu",
) -> Sample:
    """Predict structures of ``parts``, drawn at random, within ``limits``.

    Structures that were trained on come last. No random number of the process is drawn. At least
    one batch is predicted.
    """
    named = [name for name in parts if any(map(len, parts[name]))]
    info = merge_infos([one.info for name in named for one in parts[name]])
    found = Sample(quantities(info, totals=False, extended=False), named)
    order = sorted(named, key=lambda one: ORDER.index(one) if one in ORDER else -1)
    held, trained = ([one for one in order if (one == ORDER[-1]) == last] for last in (False, True))
    begin = time.perf_counter()
    for together in (held, trained):
        queue = deque((_chunks(parts[name], limits), named.index(name)) for name in together)
        while queue and (not len(found) or time.perf_counter() - begin < limits.seconds):
            chunks, number = queue.popleft()
            chunk = next(chunks, None)
            if chunk is None:
                continue
            which, dataset, some = chunk
            for one in predict(model, dataset.select(some), batch_size=_CHUNK, device=device):
                mine = some[one.index.cpu().numpy()]
                found.add(one, number, np.full(len(mine), which), dataset, mine, info)
            queue.append((chunks, number))
    found.seconds = time.perf_counter() - begin
    return found


def drawn(sets: Sequence[Dataset], limits: Limits) -> NDArray[np.int64]:
    """Numbers of structures, as of one data set after the other, in random order."""
    whole = sum(map(len, sets))
    chosen = np.random.default_rng(_SEED).permutation(whole)[: limits.structures]
    sizes = np.concatenate([one.columns.n_atoms[one.structures] for one in sets])
    atoms = np.cumsum(sizes[chosen])
    return chosen[(atoms <= limits.atoms) | (np.arange(len(chosen)) < _CHUNK)]


def _compared(infos: Sequence[DatasetInfo]) -> list[Quantity]:
    """Quantities of all data sets; where one has several units, they are in its names."""
    every = [one for info in infos for one in quantities(info, totals=False, extended=False)]
    different = [*{_key(one): one for one in every}.values()]
    names = Counter(one.name for one in different)
    return [
        one._replace(name=f"{one.name} ({one.unit})") if names[one.name] > 1 else one
        for one in different
    ]


def _key(quantity: Quantity) -> tuple[str, str, str]:
    return quantity.target, quantity.part, quantity.unit


def _chunks(
    sets: Sequence[Dataset], limits: Limits
) -> Iterator[tuple[int, Dataset, NDArray[np.int64]]]:
    """Structures in random order, some of one data set at a time."""
    lengths = np.array([len(one) for one in sets])
    starts = np.cumsum(lengths) - lengths
    chosen = drawn(sets, limits)
    for first in range(0, len(chosen), _CHUNK):
        some = chosen[first : first + _CHUNK]
        which = np.searchsorted(starts, some, side="right") - 1
        for number in np.unique(which).tolist():
            yield number, sets[number], np.sort(some[which == number] - starts[number])


def _only(prediction: Prediction, keep: NDArray[np.bool_], info: DatasetInfo) -> Prediction:
    """The structures of a batch that are kept."""
    structures = torch.from_numpy(keep).to(prediction.n_atoms.device)
    atoms = structures.repeat_interleave(prediction.n_atoms)
    compared = {name for name, one in info.targets.items() if not one.per_pair}

    def of(name: str, one: Target) -> Target:
        rows = atoms if info.targets[name].per_atom else structures
        return Target(
            one.values[rows],
            None if one.forces is None else one.forces[atoms],
            None if one.strain is None else one.strain[structures],
        )

    return Prediction(
        prediction.index[structures],
        prediction.n_atoms[structures],
        prediction.volumes[structures],
        {name: of(name, one) for name, one in prediction.targets.items() if name in compared},
        {name: of(name, one) for name, one in prediction.labels.items() if name in compared},
        {},
        prediction.seconds,
    )


def _entries(
    prediction: Prediction, quantity: Quantity, n_atoms: NDArray[Any], elements: NDArray[Any]
) -> Entries | None:
    """Components of one quantity; None where prediction or label lacks it, or samples are neither
    atoms nor structures.

    :param elements: [n] of each sample, see :class:`Entries`.
    """
    pair = [one.get(quantity.target) for one in (prediction.targets, prediction.labels)]
    found = [None if one is None else part_of(quantity.part, one) for one in pair]
    if found[0] is None or found[1] is None:
        return None
    predicted, label = (
        one.detach().double().cpu().flatten(1).numpy() for one in found if one is not None
    )
    n = len(n_atoms)
    if len(label) != len(elements):
        return None
    rows = np.repeat(np.arange(n), n_atoms) if elements.any() else np.arange(n)
    counted, sizes = _sizes(quantity, label, n_atoms, prediction.volumes.cpu().numpy())
    keep = np.nonzero(counted)
    return Entries(
        rows[keep[0]],
        elements[keep[0]],
        label[keep] / sizes[keep[0]],
        predicted[keep] / sizes[keep[0]],
        keep[1],
    )


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

"""Feeds a training or an evaluation with batches, in an order that can be resumed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from ase.data import chemical_symbols
from numpy.typing import NDArray
from torch import Tensor

from mtt.data.batching.augmentation import Augmentation, Turns, make_turns
from mtt.data.batching.batch import Batch, Gather
from mtt.data.batching.cut import cut
from mtt.data.batching.largest_batch import describe
from mtt.data.batching.order import Batching, Plan, plan
from mtt.data.batching.pairs import labels_in
from mtt.data.batching.rows import Cuts
from mtt.data.batching.to_device import fits, stage, stage_labels
from mtt.data.dataset import Dataset
from mtt.data.memory import Remedy, telling_lack
from mtt.errors import DataError
from mtt.graph import Graph

# Atoms and pairs gathered at once: enough to make the cost of each operation small, few
# enough for the caches of a CPU. Of mapped files, the system maps 64 kB for every structure
# and column that is touched, until they are released.
_ROWS_CPU, _ROWS_MAPPED, _ROWS_GPU = 20_000, 8_000, 300_000
_AHEAD = 2  # gathered in the background while the batches before are in use


class _Tables(NamedTuple):
    """What a model has prepared of a graph, see the last fields of Graph."""

    seen: Tensor | None
    prepared: list[Tensor] | None

    def map(self, change: Callable[[Tensor], Tensor]) -> _Tables:
        seen = None if self.seen is None else change(self.seen)
        return _Tables(seen, None if self.prepared is None else list(map(change, self.prepared)))


class _Loaded(NamedTuple):
    batch: Batch
    cuts: Cuts
    tables: list[_Tables]  # of each batch; empty where they are prepared later, on the device

    def pin_memory(self) -> _Loaded:
        tables = [one.map(lambda table: table.pin_memory()) for one in self.tables]
        return _Loaded(self.batch.pin_memory(), self.cuts, tables)


_Load = Callable[[Plan], _Loaded]


class Loader:
    """Batches of ``dataset``, of which a rank has its part; a part may be empty.

    Where the columns fit they live on ``device`` and batches are gathered there; else they
    are gathered on the host, for a GPU in a background thread.

    :param atomic_types: atomic numbers of the model; ``Graph.types`` indexes this list.
    :param cutoff: of the neighbour lists, in the data set's unit of length.
    :param dtype: network precision.
    :param shuffle: another order in every epoch, by :func:`mtt.data.batching.order.plan`; else the
        order of the data set, each structure once, for validation and evaluation.
    :param augmentation: turn structures and labels at random, by
        :func:`mtt.data.batching.augmentation.make_turns`; of training batches alone.
    :param prepare: adds to a graph what a model prepares of it, as
        :func:`mtt.mlip.networks.preparing` does; called where batches are gathered.
    :param background: gather in a background thread; None: where it helps.
    :raises DataError: an element is not among ``atomic_types``, or a structure alone exceeds
        the limit of atoms per batch; the message names the structure.
    """

    def __init__(
        self,
        dataset: Dataset,
        atomic_types: Sequence[int],
        *,
        cutoff: float,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
        batching: Batching,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        augmentation: Augmentation = "none",
        prepare: Callable[[Graph], Graph] | None = None,
        background: bool | None = None,
    ) -> None:
        self._prepare = prepare
        self.dataset, self.batching, self.shuffle = dataset, batching, shuffle
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.device, self.augmentation = torch.device(device), augmentation
        self._n_atoms = dataset.n_atoms.numpy()
        self._plans: dict[int, Plan] = {}
        _check_sizes(dataset, self._n_atoms, batching)
        lookup = _lookup(dataset, atomic_types)

        weighted = bool((dataset.weights != 1).any())
        columns, pairs = dataset.columns, dataset.pairs(cutoff)
        labels = labels_in(dataset, pairs)
        self._structures = dataset.structures
        self._n_pairs = pairs.n_pairs[self._structures]
        staged, numbers = self._should_stage(), None
        if staged:
            if self.device.type != "cpu":
                taken = columns.take("numbers", self._structures, per_atom=True)
                numbers = taken.numpy()
            labels = stage_labels(labels, pairs, self._structures, self.device)
            columns, pairs = stage(columns, pairs, self._structures, dataset.info, self.device)
            self._structures = np.arange(len(dataset))
            lookup = lookup.to(self.device)
        self._columns = columns
        self._lookup = lookup
        of = (columns, pairs, dataset.info, lookup, dtype)
        self._gather = Gather(*of, weighted=weighted, numbers=numbers, labels=labels)
        on_host = _ROWS_MAPPED if columns.mapped else _ROWS_CPU
        self._rows = on_host if lookup.device.type == "cpu" else _ROWS_GPU
        on_way = not staged and self.device.type != "cpu"
        self._background = on_way if background is None else background

    def n_batches(self, epoch: int = 0) -> int:
        """Batches in ``epoch``, the same on every rank."""
        return len(self._plan(epoch).sizes)

    def epoch(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """The batches of ``epoch`` from number ``start`` on."""
        turns = make_turns(self.augmentation, len(self._n_atoms), self.seed, epoch)
        chunks = self._chunks(self._plan(epoch), start)
        load = partial(self._load, turns=turns)
        for loaded in self._ahead(load, chunks) if self._background else map(load, chunks):
            with telling_lack(self.device, lambda: "the batches on their way to it", Remedy):
                moved = loaded.batch.to(self.device, non_blocking=True)
            for i, batch in enumerate(cut(moved, loaded.cuts, self.dataset.info)):
                yield self._prepared(batch, loaded.tables[i] if loaded.tables else None)

    def _prepared(self, batch: Batch, known: _Tables | None) -> Batch:
        """``batch`` with the tables of the model: ``known`` from the host, or made here."""
        if self._prepare is None:
            return batch
        with telling_lack(self.device, lambda: describe([batch], self.dataset.source), Remedy):
            if known is None:
                known = self._tables(batch.graph)
            else:
                known = known.map(lambda table: table.to(self.device, non_blocking=True))
        return replace(batch, graph=batch.graph._replace(**known._asdict()))

    def _tables(self, graph: Graph) -> _Tables:
        # a model need not know what to do without any atom
        if self._prepare is None or graph.types.shape[0] == 0:
            return _Tables(None, None)
        graph = self._prepare(graph)
        return _Tables(graph.seen, graph.prepared)

    def _plan(self, epoch: int) -> Plan:
        if epoch not in self._plans:
            self._plans = {
                epoch: plan(
                    self._n_atoms,
                    self.batching,
                    shuffle=self.shuffle,
                    seed=self.seed,
                    epoch=epoch,
                    rank=self.rank,
                    world_size=self.world_size,
                )
            }
        return self._plans[epoch]

    def _chunks(self, todo: Plan, start: int) -> Iterator[Plan]:
        """The batches from ``start`` on, as many at a time as are gathered at once."""
        ends = np.concatenate([[0], todo.sizes.cumsum()])
        rows = (self._n_atoms + self._n_pairs)[todo.structures]
        before = np.concatenate([[0], rows.cumsum()])[ends]  # rows of the batches before
        while start < len(todo.sizes):
            limit = before[start] + self._rows
            end = max(int(np.searchsorted(before, limit, side="right")) - 1, start + 1)
            yield Plan(todo.structures[ends[start] : ends[end]], todo.sizes[start:end])
            start = end

    def _load(self, chunk: Plan, turns: Turns | None) -> _Loaded:
        with telling_lack(self._lookup.device, lambda: self._describe(chunk), Remedy):
            batch, cuts = self._gather(
                self._structures[chunk.structures],
                chunk.structures,
                chunk.sizes,
                None if turns is None else turns(chunk.structures),
            )
            tables = []
            if self._prepare is not None and self._lookup.device != self.device:
                parts = cut(batch, cuts, self.dataset.info)
                tables = [self._tables(part.graph) for part in parts]
        self._columns.release()
        return _Loaded(batch, cuts, tables)

    def _describe(self, chunk: Plan) -> str:
        n_atoms, n_pairs = self._n_atoms[chunk.structures], self._n_pairs[chunk.structures]
        i = int((n_atoms + n_pairs).argmax())
        return (
            f"gathering {len(n_atoms)} structures with {n_atoms.sum()} atoms and {n_pairs.sum()} "
            f"pairs; the largest has {n_atoms[i]} atoms and {n_pairs[i]} pairs "
            f"({self.dataset.source(int(chunk.structures[i]))})"
        )

    def _ahead(self, load: _Load, chunks: Iterator[Plan]) -> Iterator[_Loaded]:
        def load_pinned(chunk: Plan) -> _Loaded:
            loaded = load(chunk)
            return loaded.pin_memory() if self.device.type == "cuda" else loaded

        with ThreadPoolExecutor(1, thread_name_prefix="mtt-loader") as pool:
            waiting: deque[Future[_Loaded]] = deque()
            for chunk in chunks:
                waiting.append(pool.submit(load_pinned, chunk))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _should_stage(self) -> bool:
        if self.device.type == "cpu":
            columns = self.dataset.columns
            return bool(columns.parts) and not columns.mapped
        if self.device.type != "cuda":
            return False
        free = torch.cuda.mem_get_info(self.device)[0]
        sizes = int(self._n_atoms.sum()), len(self._n_atoms), int(self._n_pairs.sum())
        return fits(self.dataset.info, *sizes, free)


def _check_sizes(dataset: Dataset, n_atoms: NDArray[np.int64], batching: Batching) -> None:
    if batching.atoms is None:
        return
    too_large = np.flatnonzero(n_atoms > batching.atoms)
    if len(too_large):
        i = int(too_large[0])
        raise DataError(
            f"{n_atoms[i]} atoms do not fit into a batch of at most {batching.atoms} atoms",
            where=dataset.source(i),
            hint=f"max_atoms_per_batch must be at least {n_atoms.max()}",
        )


def _lookup(dataset: Dataset, atomic_types: Sequence[int]) -> torch.Tensor:
    """[256] atomic number to index into ``atomic_types``; all elements of the data are there."""
    lookup = torch.full((256,), -1)
    lookup[list(atomic_types)] = torch.arange(len(atomic_types))
    foreign = sorted(set(dataset.info.atomic_types) - set(atomic_types))
    found = dataset.first_with(foreign) if foreign else None
    if found is not None:
        i, number = found
        raise DataError(
            f"element {chemical_symbols[number]} ({number}) is not among the atomic types "
            f"{list(atomic_types)} of the model",
            where=dataset.source(i),
            hint="name it in atomic_types, or leave these structures out",
        )
    return lookup

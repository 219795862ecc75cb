"""Order in which structures are visited, and limits of the batches.

Both are pure functions: the order of (number of structures, seed, epoch), the batches of the
order and the number of ranks. A resumed run needs only its epoch and the number
of batches that are done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtt.errors import DataError


@dataclass(frozen=True)
class Batching:
    """Size of a batch: a fixed number of structures, or as many as hold ``atoms`` atoms.

    :param structures: structures per batch and rank.
    :param atoms: a batch is filled in order until the next structure would exceed this.
    :param min_atoms: shuffled batches with fewer atoms are left out (the last of an epoch,
        as a rule); the structures in them come at another place in the next epoch.

    If both are given, a batch ends at whichever comes first.
    """

    structures: int | None = None
    atoms: int | None = None
    min_atoms: int = 0

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.structures, self.atoms) if limit is not None]
        if not limits or min(limits) < 1:
            raise ValueError("a batch needs a positive number of structures or atoms")


class Plan(NamedTuple):
    """The batches of one rank in one epoch."""

    structures: NDArray[np.int64]  # of all batches, one batch after the other
    sizes: NDArray[np.int64]  # [steps] structures in each batch


def permutation(n: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of ``n`` structures in an epoch; the same with every version of every library.

    Only the raw output of numpy's PCG64 is used, whose stream is fixed for good.
    """
    bits = np.random.PCG64(np.random.SeedSequence([seed % 2**64, epoch]))
    return np.argsort(bits.random_raw(n), kind="stable")


def plan(
    n_atoms: NDArray[np.int64],
    batching: Batching,
    *,
    shuffle: bool,
    seed: int = 0,
    epoch: int = 0,
    rank: int = 0,
    world_size: int = 1,
) -> Plan:
    """The batches of ``rank`` in ``epoch``; every rank has the same number of them.

    Ranks share the order. By number of structures, every step takes ``world_size`` times
    ``structures`` of it and deals them out, the last step what is left, as evenly as can be:
    N ranks see step by step what one rank with N times the batch sees. By number of atoms,
    each rank takes a batch in turn. If the last step cannot give something to every rank, it
    is left out when shuffled (it holds other structures in every epoch); else, since
    validation counts every structure once, some ranks get an empty batch.

    :param n_atoms: [n] atoms of each structure.
    :raises DataError: there is less than one structure, or batch, per rank.
    """
    n = len(n_atoms)
    order = permutation(n, seed, epoch) if shuffle else np.arange(n)
    in_order = n_atoms[order]
    if batching.atoms is None:
        assert batching.structures is not None
        bounds = _even(n, min(batching.structures, max(n, 1)), world_size)
    else:
        bounds = _greedy(in_order, batching.atoms, batching.structures or n, world_size)
    starts, ends = bounds[:-1], bounds[1:]
    if shuffle:
        before = np.concatenate([[0], in_order.cumsum()])
        enough = (ends > starts) & (before[ends] - before[starts] >= batching.min_atoms)
        steps = enough.reshape(-1, world_size).all(1).repeat(world_size)
        starts, ends = starts[steps], ends[steps]
        if not len(starts):
            most = int(np.diff(before[bounds]).max(initial=0))
            raise _no_batch(n, most, batching, world_size)
    starts, ends = starts[rank::world_size], ends[rank::world_size]
    pieces = [order[start:end] for start, end in zip(starts, ends, strict=True)]
    return Plan(np.concatenate([np.empty(0, np.int64), *pieces]), ends - starts)


def _no_batch(n: int, most: int, batching: Batching, world_size: int) -> DataError:
    """Why ``n`` structures make no batch; the largest that they make has ``most`` atoms."""
    if most < batching.min_atoms:
        return DataError(
            f"min_atoms_per_batch: {batching.min_atoms} leaves no batch: of {n} structures "
            f"the largest one has {most} atoms",
            where="architecture.training.min_atoms_per_batch",
            hint=f"set it to {most} at most, or make batches larger",
        )
    return DataError(
        f"{n} structures do not fill one batch on each of {world_size} ranks",
        hint="use fewer ranks, smaller batches, or more data",
    )


def _even(n: int, structures: int, world_size: int) -> NDArray[np.int64]:
    """Ends of the batches of all ranks, step by step, for ``structures`` per batch."""
    steps = np.minimum(np.arange(0, n + structures * world_size, structures * world_size), n)
    sizes = np.diff(steps)[:, None]
    # the first ranks get one more where the last step cannot be dealt out evenly
    sizes = sizes // world_size + (np.arange(world_size) < sizes % world_size)
    return np.concatenate([[0], sizes.reshape(-1).cumsum()]).astype(np.int64)


def _greedy(
    n_atoms: NDArray[np.int64], atoms: int, structures: int, world_size: int
) -> NDArray[np.int64]:
    """Ends of the batches of all ranks, step by step, for up to ``atoms`` per batch."""
    total = n_atoms.cumsum()
    bounds, done = [0], 0
    while bounds[-1] < len(n_atoms):
        end = min(int(np.searchsorted(total, done + atoms, side="right")), bounds[-1] + structures)
        assert end > bounds[-1], "no structure exceeds the limit"
        bounds.append(end)
        done = int(total[end - 1])
    missing = -(len(bounds) - 1) % world_size
    return np.array(bounds + [len(n_atoms)] * missing, dtype=np.int64)

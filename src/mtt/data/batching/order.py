"""Order in which structures are visited, and limits of the batches.

Both are pure functions: the order of (number of structures, seed, epoch), the batches of the
order; the number of ranks only decides who computes which part of them. A resumed run needs
only its epoch and the number of batches that are done.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtt.errors import DataError


@dataclass(frozen=True)
class Batching:
    """Size of a batch: a fixed number of structures, or as many as hold ``atoms`` atoms.

    Ranks share a batch: its size does not depend on how many there are.

    :param structures: structures per batch, on all ranks together.
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
    """What ``rank`` has of the batches of ``epoch``; every rank has a part of each of them.

    The batches are those of one rank alone, whatever ``world_size`` is. Each is cut into as many
    parts as there are ranks, in order: by number of structures as evenly as can be, by number of
    atoms so that a part exceeds its share by one structure at most. A part may be empty, where a
    batch has fewer structures than there are ranks.

    :param n_atoms: [n] atoms of each structure.
    :raises DataError: there is less than one structure per rank, or not one batch, to train on.
    """
    n = len(n_atoms)
    if shuffle and n < world_size:
        raise _too_few(n, world_size)
    order = permutation(n, seed, epoch) if shuffle else np.arange(n)
    before = np.concatenate([[0], n_atoms[order].cumsum()])
    if batching.atoms is None:
        assert batching.structures is not None
        ends = np.arange(0, n, min(batching.structures, max(n, 1)))
        bounds = np.append(ends, n) if n else np.zeros(1, np.int64)
    else:
        bounds = _greedy(before, batching.atoms, batching.structures or n)
    starts, ends = bounds[:-1], bounds[1:]
    if shuffle:
        enough = before[ends] - before[starts] >= batching.min_atoms
        if not enough.any():
            raise _no_batch(n, int((before[ends] - before[starts]).max()), batching)
        starts, ends = starts[enough], ends[enough]
    if world_size > 1:
        cut = _cuts_even if batching.atoms is None else partial(_cuts_by_atoms, before)
        starts, ends = (cut(starts, ends, i, world_size) for i in (rank, rank + 1))
    pieces = [order[start:end] for start, end in zip(starts, ends, strict=True)]
    return Plan(np.concatenate([np.empty(0, np.int64), *pieces]), ends - starts)


def _too_few(n: int, world_size: int) -> DataError:
    """Why ``n`` structures cannot be shared by the ranks."""
    if world_size == 1:
        return DataError("the training set has no structures", hint="give some to train on")
    return DataError(
        f"{n} structures to train on are fewer than the {world_size} ranks",
        hint=f"train on {n} ranks at most, or on more data" if n else "give some to train on",
    )


def _no_batch(n: int, most: int, batching: Batching) -> DataError:
    """Why ``n`` structures make no batch; the largest that they make has ``most`` atoms."""
    return DataError(
        f"min_atoms_per_batch: {batching.min_atoms} leaves no batch: of {n} structures "
        f"the largest one has {most} atoms",
        where="architecture.training.min_atoms_per_batch",
        hint=f"set it to {most} at most, or make batches larger",
    )


def _greedy(before: NDArray[np.int64], atoms: int, structures: int) -> NDArray[np.int64]:
    """[n_batches + 1] limits of the batches, for up to ``atoms`` per batch.

    :param before: [n + 1] atoms of all structures before each one.
    """
    bounds = [0]
    while bounds[-1] < len(before) - 1:
        limit = before[bounds[-1]] + atoms
        end = int(np.searchsorted(before, limit, side="right")) - 1
        end = min(end, bounds[-1] + structures)
        assert end > bounds[-1], "no structure exceeds the limit"
        bounds.append(end)
    return np.array(bounds, dtype=np.int64)


def _cuts_even(
    starts: NDArray[np.int64], ends: NDArray[np.int64], i: int, world_size: int
) -> NDArray[np.int64]:
    """Where part ``i`` of each batch begins; the first parts get one more structure."""
    whole, rest = np.divmod(ends - starts, world_size)
    cuts: NDArray[np.int64] = starts + i * whole + np.minimum(i, rest)
    return cuts


def _cuts_by_atoms(
    before: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    i: int,
    world_size: int,
) -> NDArray[np.int64]:
    """Where part ``i`` of each batch begins: a structure is where its middle atom is."""
    middles = before[:-1] + before[1:]  # twice
    share = (before[ends] - before[starts]) * i
    cuts = np.searchsorted(middles * world_size, 2 * (before[starts] * world_size + share))
    return np.clip(cuts, starts, ends)

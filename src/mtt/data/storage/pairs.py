"""Pairs of neighbours of many structures, for one cutoff, in memory or on disk."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from mtt.data.storage.pieces import Column, Pieces, join_offsets


@dataclass(eq=False)
class Pairs:
    """The neighbour lists of all structures of some columns, for one cutoff.

    :param offsets: [n + 1] int64 in memory; pairs of structure i are rows offsets[i]:offsets[i+1].
    :param centers: [P] int32, atom within its structure.
    :param neighbors: [P] int32, likewise.
    :param shifts: [P, 3] int16, cell vectors to add to the neighbour; None if all are zero.
    :param widths: [n] int64 in memory, most neighbours of an atom of each structure.
    :param reverse: [P] int32, number within its structure of the same pair seen from its other
        end; None of lists that were stored without it.
    """

    offsets: NDArray[np.int64]
    centers: Column
    neighbors: Column
    shifts: Column | None
    widths: NDArray[np.int64]
    reverse: Column | None
    maps: list[mmap.mmap] = field(default_factory=list)

    @cached_property
    def n_pairs(self) -> NDArray[np.int64]:
        """[n] pairs of each structure."""
        return np.diff(self.offsets)

    def release(self) -> None:
        """See :meth:`Columns.release`."""
        for mapped in self.maps:
            mapped.madvise(mmap.MADV_DONTNEED)


def joined(parts: Sequence[Pairs]) -> Pairs:
    """The lists of several columns one after the other, without copying."""
    lengths = [int(part.offsets[-1]) for part in parts]
    no_atom = torch.zeros((), dtype=torch.int32)
    no_shift = torch.zeros(3, dtype=torch.int16)
    shifts: Column | None = None
    if any(part.shifts is not None for part in parts):
        shifts = Pieces([part.shifts for part in parts], lengths, no_shift)
    reverse: Column | None = None
    if all(part.reverse is not None for part in parts):
        reverse = Pieces([part.reverse for part in parts], lengths, no_atom)
    return Pairs(
        join_offsets([part.offsets for part in parts]),
        Pieces([part.centers for part in parts], lengths, no_atom),
        Pieces([part.neighbors for part in parts], lengths, no_atom),
        shifts,
        np.concatenate([part.widths for part in parts]),
        reverse,
    )

"""Many structures as a few long arrays, in memory or on disk.

What belongs to a structure is one row of an array; what belongs to an atom is a run of rows,
and ``offsets`` says which. An array is a tensor, whether its memory is allocated or mapped
from a file, or :class:`Pieces` of several of them.

==================  ===========================  ==============================================
``numbers``         [N] uint8                    atomic numbers
``positions``       [N, 3] float64
``cells``           [n, 3, 3] float64            as read: also along axes that are not periodic
``pbc``             [n, 3] bool
``volumes``         [n] float64                  of ``cells``; 0 without a cell
``weights``         [n] float64                  of the structures in the loss
``values:NAME``     [n or N, *shape] float64     labels, NaN where missing; ``extra:NAME`` alike
``forces:NAME``     [N, 3] float64               of single numbers; else [N, 3, *shape]
``strain:NAME``     [n, 3, 3] float64            of single numbers; else [n, 3, 3, *shape]
==================  ===========================  ==============================================
"""

from __future__ import annotations

import mmap
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.data.info import DatasetInfo, TargetInfo
from mtt.data.storage.pair_labels import PairLabels, joined_labels, pair_targets
from mtt.data.storage.pairs import Pairs
from mtt.data.storage.pieces import Column, Pieces, join_offsets
from mtt.stopping import stop_if_asked

CHUNK = 1024  # structures that a pass over all data holds at a time


class Spec(NamedTuple):
    """Shape and type of one column: ``[structures or atoms, *tail]``."""

    dtype: str  # numpy's name
    tail: tuple[int, ...]
    per_atom: bool


def layout(info: DatasetInfo) -> dict[str, Spec]:
    """The columns of a data set with this ``info``."""
    specs = {
        "numbers": Spec("uint8", (), True),
        "positions": Spec("float64", (3,), True),
        "cells": Spec("float64", (3, 3), False),
        "pbc": Spec("bool", (3,), False),
        "volumes": Spec("float64", (), False),
        "weights": Spec("float64", (), False),
    }
    for name, target in info.targets.items():
        if target.per_pair:  # see mtt.data.storage.pair_labels
            continue
        specs[f"values:{name}"] = _values(target)
        if target.has_forces:
            specs[f"forces:{name}"] = Spec("float64", (3, *target.gradient_shape), True)
        if target.has_strain:
            specs[f"strain:{name}"] = Spec("float64", (3, 3, *target.gradient_shape), False)
    for name, extra in info.extra_data.items():
        specs[f"extra:{name}"] = _values(extra)
    return specs


def lacking(known: DatasetInfo, wanted: DatasetInfo) -> str | None:
    """The first column of ``wanted`` that data of ``known`` lack, such as ``values:energy``."""
    columns = layout(known)
    for name, spec in layout(wanted).items():
        if columns.get(name) != spec:
            return name
    pairs = pair_targets(known)
    for name, shape in pair_targets(wanted).items():
        if pairs.get(name) != shape:
            return f"values:{name}"
    return None


def _values(target: TargetInfo) -> Spec:
    return Spec("float64", target.shape, target.per_atom)


class Sources:
    """Source of each structure, as text; joined like the columns.

    :param text: all names one after the other, UTF-8.
    :param ends: [n], end of each name in ``text``.
    """

    def __init__(self, text: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self.text, self.ends = text, ends

    @classmethod
    def of(cls, names: Sequence[str]) -> Sources:
        """``names`` in one piece."""
        encoded = [name.encode() for name in names]
        ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), ends)

    def __getitem__(self, i: int) -> str:
        start = int(self.ends[i - 1]) if i else 0
        return bytes(self.text[start : int(self.ends[i])]).decode(errors="replace")


@dataclass(eq=False)
class Columns:
    """Structures, their labels, and the neighbour lists computed so far.

    :param offsets: [n + 1] int64 in memory; atoms of structure i are rows offsets[i]:offsets[i+1].
    :param rows: the columns of :func:`layout`.
    :param sources: name of each structure, for messages; empty where ``parts`` know.
    :param folder: the store that the columns are mapped from, or None.
    :param maps: memory maps behind the columns, to be released now and then.
    :param parts: the columns that these are joined of; empty for columns that are not joined.
    :param pair_labels: labels of targets of pairs, by target.
    :param info: [n] text of each key that the files have of structures, see
        :mod:`mtt.data.storage.info_keys`.
    """

    offsets: NDArray[np.int64]
    rows: Mapping[str, Column]
    sources: Sources
    folder: Path | None = None
    maps: list[mmap.mmap] = field(default_factory=list)
    parts: tuple[Columns, ...] = ()
    pairs: dict[float, Pairs] = field(default_factory=dict)  # by cutoff
    info: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    pair_labels: dict[str, PairLabels] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def n_atoms(self) -> NDArray[np.int64]:
        """[n] atoms of each structure."""
        return np.diff(self.offsets)

    @property
    def mapped(self) -> bool:
        """Whether any column is on disk."""
        return self.folder is not None or any(part.mapped for part in self.parts)

    def source(self, i: int) -> str:
        """Source of structure ``i``: ``train.xyz, frame 12``."""
        if not self.parts:
            return self.sources[i]
        starts = np.cumsum([0] + [len(part) for part in self.parts])
        k = bisect_right(starts.tolist(), i) - 1
        return self.parts[k].source(i - int(starts[k]))

    def atom_rows(self, structures: NDArray[np.int64]) -> Tensor:
        """Row of every atom of ``structures``, one structure after the other."""
        return torch.from_numpy(spans(self.offsets[structures], self.n_atoms[structures]))

    def take(self, name: str, structures: NDArray[np.int64], *, per_atom: bool) -> Tensor:
        """Rows of the column ``name`` that belong to ``structures``."""
        rows = self.atom_rows(structures) if per_atom else torch.from_numpy(structures)
        return self.rows[name].index_select(0, rows)

    def labels_of_pairs(self, name: str, shape: Sequence[int]) -> PairLabels:
        """Labels of the target ``name``, of pairs; none where the structures have none."""
        known = self.pair_labels.get(name)
        return PairLabels.none(len(self), shape) if known is None else known

    def chunks(self, structures: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """``structures``, some at a time; what was mapped for them is released afterwards."""
        for start in range(0, len(structures), CHUNK):
            stop_if_asked()
            yield structures[start : start + CHUNK]
            self.release()

    def release(self) -> None:
        """Release the pages of mapped files, which otherwise count as memory of the process."""
        for part in self.parts:
            part.release()
        for mapped in self.maps:
            mapped.madvise(mmap.MADV_DONTNEED)
        for pairs in list(self.pairs.values()):
            pairs.release()


def spans(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The ranges ``starts[k] : starts[k] + lengths[k]``, one after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    ranges: NDArray[np.int64] = np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
    return ranges


def join(parts: Sequence[Columns], infos: Sequence[DatasetInfo], info: DatasetInfo) -> Columns:
    """``parts`` one after the other without copying; labels that a part lacks are NaN.

    Labels of pairs alone are copied.
    """
    owned = [layout(part_info) for part_info in infos]
    rows: dict[str, Column] = {}
    for name, spec in layout(info).items():
        pieces = [
            part.rows[name] if name in names else None
            for part, names in zip(parts, owned, strict=True)
        ]
        lengths = [int(part.offsets[-1]) if spec.per_atom else len(part) for part in parts]
        fill = float("nan") if spec.dtype == "float64" else 0
        rows[name] = Pieces(pieces, lengths, torch.full(spec.tail, fill, dtype=_torch(spec)))
    offsets = join_offsets([part.offsets for part in parts])
    pairs = {
        name: joined_labels(
            [
                part.labels_of_pairs(name, shape)
                if name in pair_targets(own)
                else PairLabels.none(len(part), shape)
                for part, own in zip(parts, infos, strict=True)
            ]
        )
        for name, shape in pair_targets(info).items()
    }
    return Columns(offsets, rows, Sources.of([]), parts=tuple(parts), pair_labels=pairs)


def _torch(spec: Spec) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype=spec.dtype)).dtype

"""Some structures at a time, on their way into columns: from frames, or from other columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mtt.data.frames import Frame
from mtt.data.info import DatasetInfo
from mtt.data.storage.columns import CHUNK, Columns, Sources, layout
from mtt.data.storage.info_keys import Words, info_columns, joined_info
from mtt.data.storage.pair_labels import PairLabels, joined_labels, pair_targets, stacked
from mtt.errors import DataError
from mtt.stopping import stop_if_asked


class Block(NamedTuple):
    """The columns of a few structures, as numpy arrays."""

    n_atoms: NDArray[np.int64]  # [m]
    columns: dict[str, NDArray[Any]]
    sources: list[str]
    info: Mapping[str, Words] = {}
    pairs: Mapping[str, PairLabels] = {}


def blocks_of_frames(frames: Iterable[Frame], info: DatasetInfo) -> Iterator[Block]:
    """``frames`` in blocks; a generator is never held as a whole."""
    remaining = iter(frames)
    while chunk := list(islice(remaining, CHUNK)):
        stop_if_asked()
        yield _block(chunk, info)


def blocks_of_columns(
    columns: Columns, structures: NDArray[np.int64], info: DatasetInfo
) -> Iterator[Block]:
    """``structures`` of ``columns`` in blocks."""
    specs = layout(info)
    for chunk in columns.chunks(structures):
        arrays = {
            name: columns.take(name, chunk, per_atom=spec.per_atom).numpy()
            for name, spec in specs.items()
        }
        yield Block(columns.n_atoms[chunk], arrays, [columns.source(int(i)) for i in chunk])


def columns_in_memory(blocks: Iterable[Block], info: DatasetInfo) -> Columns:
    """All ``blocks`` as columns in memory."""
    collected = list(blocks)
    rows = {}
    for name, spec in layout(info).items():
        arrays = [block.columns[name] for block in collected]
        empty = np.empty((0, *spec.tail), dtype=spec.dtype)
        rows[name] = torch.from_numpy(np.concatenate([empty, *arrays]))
    n_atoms = [block.n_atoms for block in collected]
    offsets = np.concatenate([[0], *n_atoms]).cumsum().astype(np.int64)
    sources = Sources.of([source for block in collected for source in block.sources])
    info_keys = joined_info([block.info for block in collected], [len(n) for n in n_atoms])
    pairs = {
        name: joined_labels([PairLabels.none(0, shape), *(b.pairs[name] for b in collected)])
        for name, shape in pair_targets(info).items()
    }
    return Columns(offsets, rows, sources, info=info_keys, pair_labels=pairs)


def _block(frames: Sequence[Frame], info: DatasetInfo) -> Block:
    n_atoms = np.array([len(frame.numbers) for frame in frames], dtype=np.int64)
    cells = np.stack([np.asarray(frame.cell, dtype=np.float64) for frame in frames])
    columns: dict[str, NDArray[Any]] = {
        "numbers": np.concatenate([frame.numbers for frame in frames]).astype(np.uint8),
        "positions": np.concatenate([frame.positions for frame in frames]),
        "cells": cells,
        "pbc": np.stack([frame.pbc for frame in frames]),
        "volumes": np.abs(np.linalg.det(cells)),
        "weights": _weights(frames),
    }
    for name, target in info.targets.items():
        if target.per_pair:
            continue
        labels = [frame.labels.get(name) for frame in frames]
        values = [None if label is None else label.values for label in labels]
        columns[f"values:{name}"] = _stack(
            values, n_atoms if target.per_atom else None, target.shape
        )
        if target.has_forces:
            forces = [None if label is None else label.forces for label in labels]
            columns[f"forces:{name}"] = _stack(forces, n_atoms, (3, *target.gradient_shape))
        if target.has_strain:
            strain = [None if label is None else label.strain for label in labels]
            columns[f"strain:{name}"] = _stack(strain, None, (3, 3, *target.gradient_shape))
    for name, extra in info.extra_data.items():
        values = [frame.extra.get(name) for frame in frames]
        per_atom = n_atoms if extra.per_atom else None
        columns[f"extra:{name}"] = _stack(values, per_atom, extra.shape)
    sources = [frame.source for frame in frames]
    by_target = [frame.labels for frame in frames]
    pairs = {name: stacked(by_target, name, shape) for name, shape in pair_targets(info).items()}
    words = info_columns([frame.info for frame in frames])
    return Block(n_atoms, columns, sources, words, pairs)


def _weights(frames: Sequence[Frame]) -> NDArray[np.float64]:
    weights = np.array([frame.weight for frame in frames], dtype=np.float64)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        what = f"the weight {weights[wrong[0]]:g} is not a finite number that is at least 0"
        raise DataError(what, where=frames[wrong[0]].source)
    return weights


def _stack(
    arrays: Sequence[NDArray[Any] | None], n_atoms: NDArray[Any] | None, tail: tuple[int, ...]
) -> NDArray[np.float64]:
    """``arrays`` one after the other, NaN for None; ``n_atoms`` None: one row per structure."""
    lengths = [1] * len(arrays) if n_atoms is None else n_atoms.tolist()
    out = np.full((sum(lengths), *tail), np.nan)
    start = 0
    for array, length in zip(arrays, lengths, strict=True):
        if array is not None:
            out[start : start + length] = np.reshape(array, (length, *tail))
        start += length
    return out

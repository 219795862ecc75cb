"""Open a ``.mts`` file, and find the blocks of a target in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import metatensor.torch as mts
import numpy as np
import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from numpy.typing import NDArray

from mtt.data.files.inputs import input_files
from mtt.data.frames import Float
from mtt.data.info import TargetInfo
from mtt.data.target_block import Axis, Block
from mtt.data.target_kind import TargetKind
from mtt.data.tensor_maps import PAIR
from mtt.errors import DataError, Problem
from mtt.options.values import ReadFrom
from mtt.regular import unreadable

SAMPLES = {"system": ("system",), "atom": ("system", "atom"), "atom_pair": PAIR}


class Rows(NamedTuple):
    """One block of a file, in the order of the kind."""

    block: Block
    samples: NDArray[np.int64]  # [n, k] the columns of :data:`SAMPLES`
    values: Float  # [n, numbers of a sample]
    source: TensorBlock


def load(read_from: ReadFrom) -> tuple[str, TensorMap]:
    """The file that ``read_from`` names, and what it holds.

    :raises DataError: several files, none, or one that metatensor cannot read.
    """
    paths = input_files(read_from)
    if len(paths) != 1:
        what = f"{len(paths)} .mts files for one target"
        hint = "join them into one file, whose samples 'system' count all structures"
        raise DataError(what, where=str(paths[0]), hint=hint)
    path = Path(paths[0])
    wrong = unreadable(path)
    if wrong or not path.is_file():
        what, hint = (wrong.what, wrong.hint) if wrong else ("no such file", "")
        raise DataError(what, where=str(path), hint=hint)
    try:
        return str(path), mts.load(str(path))
    except (RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        hint = "write it with metatensor.torch.save"
        raise DataError(f"is not a TensorMap: {reason}", where=str(path), hint=hint) from error


def rows_of(tensor: TensorMap, info: TargetInfo, where: str) -> list[Rows]:
    """The blocks of a target that the file has; those of elements may be missing.

    :param where: file and target, for messages.
    :raises DataError: keys, samples, components or properties are not those of the target.
    """
    kind = info.of_kind
    keys = _keys(tensor, kind, where)
    known = {tuple(block.key): block for block in kind.blocks}
    strange = [key for key in keys if key not in known]
    if strange:
        named = ", ".join(kind.key_names)
        what = f"the block {named} = {_said(strange[0])} is not part of the target ({info.kind})"
        hint = f"its blocks are {', '.join(map(_said, list(known)[:8]))}"
        raise DataError(what, where=where, hint=hint)
    absent = [key for key, block in known.items() if key not in keys and not block.element]
    if absent:
        what = f"there is no block {', '.join(kind.key_names)} = {_said(absent[0])}"
        raise DataError(what, where=where, hint="the type of the target requires it")
    return [
        _rows(tensor.block(keys[key]), block, info, f"{where}, block {_said(key)}")
        for key, block in known.items()
        if key in keys
    ]


def _keys(tensor: TensorMap, kind: TargetKind, where: str) -> dict[tuple[int, ...], int]:
    """Key in the order of the kind's names, to the number of the block."""
    names = list(tensor.keys.names)
    if names != ["_"] and kind.key_names == ("_",) and len(tensor) == 1:
        return {(0,): 0}
    if sorted(names) != sorted(kind.key_names):
        what = f"the keys are {', '.join(names)}, where {', '.join(kind.key_names)} are expected"
        hint = "the type of the target determines them"
        if kind.key_names == ("_",):
            what = f"its blocks have the keys {', '.join(names)}, which a scalar does not have"
            hint = "write the type of the target, as in the options of the training"
        raise DataError(what, where=where, hint=hint)
    order = [names.index(name) for name in kind.key_names]
    values = tensor.keys.values[:, order].tolist()
    return {tuple(key): i for i, key in enumerate(values)}


def _rows(source: TensorBlock, block: Block, info: TargetInfo, where: str) -> Rows:
    wanted = SAMPLES[info.sample_kind]
    names = list(source.samples.names)
    if sorted(names) != sorted(wanted):
        what = f"samples are {', '.join(names)}, where {', '.join(wanted)} are expected"
        hint = f"sample_kind is {info.sample_kind}: write that of the file"
        raise DataError(what, where=where, hint=hint)
    samples = source.samples.values.to(torch.int64).numpy()
    samples = samples[:, [names.index(name) for name in wanted]]
    values = in_order(source, block.axes, block, info, where)
    size = math.prod(block.shape) * values.shape[-1]
    return Rows(block, samples, values.reshape(len(samples), size), source)


def in_order(
    source: TensorBlock, axes: Sequence[Axis], block: Block, info: TargetInfo, where: str
) -> Float:
    """The values of a block, or of one of its gradients, as their labels order them: [n, ...].

    :param axes: that the components are expected to have.
    :raises DataError: components or properties are other ones.
    """
    values = source.values.to(torch.float64).numpy()
    for k, axis in enumerate(axes):
        order = _order(source.components, k, axis.labels, where, axis.name)
        values = np.take(values, order, axis=k + 1)
    if len(source.components) != len(axes):
        found = [len(one) for one in source.components]
        expected = [len(axis.labels) for axis in axes]
        what = f"there are components {found}, where {expected} are expected"
        raise DataError(what, where=where, hint="the type of the target says how many there are")
    ordered: Float = np.take(values, _properties(source, block, info, where), axis=-1)
    return ordered


def _order(
    components: Sequence[Labels], k: int, wanted: Sequence[int], where: str, name: str
) -> list[int]:
    """Places of the components ``wanted`` along the axis ``k``."""
    found = components[k].values[:, 0].tolist() if k < len(components) else []
    if sorted(found) != sorted(wanted):
        what = f"the components {name} are {found}, where {list(wanted)} are expected"
        raise DataError(what, where=where, hint="the type of the target determines them")
    return [found.index(one) for one in wanted]


def _properties(source: TensorBlock, block: Block, info: TargetInfo, where: str) -> list[int]:
    """Places of the properties, by their labels where these are channels."""
    wanted = block.properties("", info.properties)
    n = len(wanted.labels)
    names = list(source.properties.names)
    if len(source.properties) != n:
        what = f"there are {len(source.properties)} properties, where {n} are expected"
        hint = "num_subtargets, or num of irreps, determines their number"
        raise DataError(what, where=where, hint=hint)
    if block.channels is None or sorted(names) != sorted(wanted.names):
        return list(range(n))
    order = [names.index(name) for name in wanted.names]
    found = [tuple(row) for row in source.properties.values[:, order].tolist()]
    if set(found) != set(wanted.labels):
        strange = next(one for one in found if one not in wanted.labels)
        what = f"the target has no property {', '.join(wanted.names)} = {_said(strange)}"
        raise DataError(what, where=where, hint="the type of the target determines them")
    return [found.index(label) for label in wanted.labels]


def _said(key: Sequence[int]) -> str:
    return f"({', '.join(map(str, key))})"


def strangers(
    rows: Sequence[Rows], total: int, file: str, where: str
) -> tuple[dict[int, int], Problem | None]:
    """From numbers in the file to structures, where they are not the same; or what is wrong.

    metatrain takes the structures of a file in the order of their numbers, whatever these are.

    :param total: structures of the files that have them.
    """
    found = np.unique(np.concatenate([np.zeros(0, np.int64), *(one.samples[:, 0] for one in rows)]))
    if not len(found) or (found[0] >= 0 and found[-1] < total):
        return {}, None
    if len(found) == total:
        return {int(number): i for i, number in enumerate(found)}, None
    outside = found[(found < 0) | (found >= total)]
    what = (
        f"samples name the system {outside[0]}, but there are {total} structures, 0 to {total - 1}"
    )
    return {}, Problem(what, where, f"'system' in {file} counts the structures from 0")

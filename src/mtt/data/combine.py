"""Several data sets as one, and data sets into a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mtt.data.dataset import Dataset
from mtt.data.frames import Frame
from mtt.data.info import POSITIONS, STRAIN, DatasetInfo, TargetInfo
from mtt.data.storage.blocks import blocks_of_columns, blocks_of_frames
from mtt.data.storage.columns import join, lacking
from mtt.data.storage.store import write_columns
from mtt.errors import DataError, Problem

_SAME = (
    "quantity",
    "unit",
    "sample_kind",
    "kind",
    "properties",
    "extensive",
    "aggregation",
    "rank",
    "exchange",
)
"""What a target must have in common in all data sets."""


def merge(datasets: Sequence[Dataset]) -> Dataset:
    """All ``datasets`` one after the other, as one, without copying or loading any.

    It has the targets of all of them; labels that a data set does not have are NaN.

    :raises DataError: units of length, or the nature of a target, differ.
    """
    if len(datasets) == 1:
        return datasets[0]
    info = merge_infos([dataset.info for dataset in datasets])
    parts = [dataset.columns for dataset in datasets]
    starts = np.cumsum([0] + [len(part) for part in parts[:-1]])
    structures = [
        dataset.structures + start for dataset, start in zip(datasets, starts, strict=True)
    ]
    columns = join(parts, [dataset.info for dataset in datasets], info)
    notices = [notice for dataset in datasets for notice in dataset.notices]
    merged = Dataset(columns, info, np.concatenate(structures), list(dict.fromkeys(notices)))
    for dataset in datasets:
        merged.prepare(dataset.requested)
    return merged


def with_targets_of(dataset: Dataset, info: DatasetInfo) -> Dataset:
    """A view with the targets and gradients of ``info`` and its own; new labels are NaN."""
    targets = dict(dataset.info.targets)
    for name, target in info.targets.items():
        own = targets.get(name, target)
        targets[name] = replace(own, gradients=_gradients(own, target))
    wanted = dataset.info.with_targets(targets)
    if lacking(dataset.info, wanted) is None:
        return dataset
    columns = join([dataset.columns], [dataset.info], wanted)
    view = Dataset(columns, wanted, dataset.structures, dataset.notices, dataset.name)
    view.prepare(dataset.requested)
    return view


def merge_infos(infos: Sequence[DatasetInfo]) -> DatasetInfo:
    """Merge descriptions: every element, every target, every gradient.

    :raises DataError: units of length, or the nature of a target, differ.
    """
    problems: list[Problem] = []
    units = dict.fromkeys(info.length_unit for info in infos)
    if len(units) > 1:
        named = " and ".join(repr(unit) for unit in units)
        problems.append(
            Problem(f"the data sets have different units of length: {named}", "length_unit")
        )
    targets = _merge_named([info.targets for info in infos], problems)
    extra = _merge_named([info.extra_data for info in infos], problems)
    for name in sorted(set(targets) & set(extra)):
        problems.append(Problem("is a target in one data set and extra data in another", name))
    if problems:
        raise DataError.collect(problems)
    elements = sorted({int(z) for info in infos for z in info.atomic_types})
    return DatasetInfo(infos[0].length_unit, tuple(elements), targets, extra)


def pack(datasets: Dataset | Sequence[Dataset], folder: str | Path) -> Dataset:
    """Write ``datasets``, merged, into the new ``folder``, and open it.

    :raises DataError: the data sets cannot be merged, hold nothing, or ``folder`` exists or
        cannot be written; nothing is left behind then.
    """
    merged = datasets if isinstance(datasets, Dataset) else merge(datasets)
    blocks = blocks_of_columns(merged.columns, merged.structures, merged.info)
    write_columns(blocks, merged.info, Path(folder))
    return Dataset.open(folder)


def pack_frames(frames: Iterable[Frame], info: DatasetInfo, folder: str | Path) -> Dataset:
    """Write ``frames``, which may come from a generator, into the new ``folder``, and open it.

    Only about a thousand frames are held at a time.

    :raises DataError: as :func:`pack`.
    """
    write_columns(blocks_of_frames(frames, info), info, Path(folder))
    return Dataset.open(folder)


def _merge_named(
    named: Sequence[Mapping[str, TargetInfo]], problems: list[Problem]
) -> dict[str, TargetInfo]:
    merged: dict[str, TargetInfo] = {}
    for targets in named:
        for name, target in targets.items():
            merged[name] = _merge_target(name, merged.get(name, target), target, problems)
    return merged


def _merge_target(
    name: str, one: TargetInfo, other: TargetInfo, problems: list[Problem]
) -> TargetInfo:
    for field in _SAME:
        ours, theirs = getattr(one, field), getattr(other, field)
        if ours != theirs:
            problems.append(
                Problem(f"{field} is {ours!r} in one data set and {theirs!r} in another", name)
            )
    named = one if one.has_strain or not other.has_strain else other
    return replace(
        one,
        gradients=_gradients(one, other),
        strain_name=named.strain_name,
        description=one.description or other.description,
    )


def _gradients(one: TargetInfo, other: TargetInfo) -> tuple[str, ...]:
    known = {*one.gradients, *other.gradients}
    return tuple(gradient for gradient in (POSITIONS, STRAIN) if gradient in known)

"""Open the data set that options describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mtt.data.dataset import Dataset
from mtt.data.files.inputs import described, expanded
from mtt.data.info import DatasetInfo, TargetInfo
from mtt.data.memory import Remedy, telling_lack
from mtt.data.read import read_frames
from mtt.data.storage.store import is_packed
from mtt.data.tensor_files.declared import target_info
from mtt.data.tensor_files.sections import asked_derivatives
from mtt.errors import DataError, Problem, did_you_mean
from mtt.options.values import DatasetOptions, ReadFrom, TargetOptions

_PACK = "pack it once where there is more of it: packed data stay on the disk"


def read_dataset(options: DatasetOptions) -> Dataset:
    """Read files into memory, or open a packed data set if ``options`` name its folder.

    Of a packed data set, targets are known by their names; ``key`` and ``reader`` are not
    needed, and units that the options leave out are those of the data set. So are weights: a
    number replaces them, a key asks for those that are stored.

    :raises DataError: collects all mistakes in the data.
    :raises OutOfMemory: the files are too large to be read at once.
    """
    folder = _packed(options.systems.read_from)
    if folder is not None:
        return _open(folder, options)
    cpu, name = torch.device("cpu"), described(options.systems.read_from)
    with telling_lack(cpu, lambda: f"reading {name}", lambda: Remedy(name, _PACK)):
        frames, info, notices = read_frames(options)
        return Dataset.from_frames(frames, info, notices, name=options.name)


def _packed(read_from: ReadFrom) -> Path | None:
    """The folder of a packed data set, if that is all that is named."""
    names = [read_from] if isinstance(read_from, str) else read_from
    if len(names) > 1:
        return None
    path = Path(expanded(names[0]))
    return path if is_packed(path) else None


def _open(folder: Path, options: DatasetOptions) -> Dataset:
    stored = Dataset.open(folder)
    problems: list[Problem] = []
    notices: list[str] = []
    unit = options.systems.length_unit or stored.info.length_unit
    if unit != stored.info.length_unit:
        what = f"lengths are in {stored.info.length_unit!r}, not {unit!r}"
        problems.append(Problem(what, f"{folder} systems.length_unit"))
    targets = {
        name: _target(name, target, stored.info.targets, folder, problems, notices)
        for name, target in options.targets.items()
    }
    extra = {
        name: _target(name, target, stored.info.extra_data, folder, problems, notices)
        for name, target in options.extra_data.items()
    }
    chosen = _chosen(options.indices, len(stored), folder, problems)
    if isinstance(options.weight, float):
        stored = stored.weighted(options.weight)
    elif options.weight is not None and not (stored.weights != 1).any():
        what = f"{options.weight!r} is asked for, but all weights are 1 in the packed data set"
        hint = "name the key when packing, in a YAML file with the data set's options"
        problems.append(Problem(what, f"{folder} weight", hint))
    if problems:
        raise DataError.collect(problems)
    dataset = stored.keep_targets(replace(stored.info, targets=targets, extra_data=extra))
    if chosen is not None:
        dataset = dataset.select(chosen).keep_targets(_found_types(dataset.info, dataset, chosen))
    dataset.notices, dataset.name = tuple(notices), options.name
    return dataset


def _target(
    name: str,
    options: TargetOptions,
    stored: Mapping[str, TargetInfo],
    folder: Path,
    problems: list[Problem],
    notices: list[str],
) -> TargetInfo:
    """Stored part of the target ``name`` that ``options`` ask for."""
    where = f"{folder} {name}"
    there = stored.get(name)
    if there is None:
        known = ", ".join(stored) or "nothing"
        hint = did_you_mean(name, stored)
        problems.append(Problem(f"is not in the packed data set, which holds {known}", where, hint))
        return target_info(options)
    wanted = target_info(options)
    for field in ("quantity", "unit", "sample_kind", "kind", "properties"):
        ours, theirs = getattr(wanted, field), getattr(there, field)
        if ours != theirs and (field not in ("unit", "quantity") or ours):
            problems.append(Problem(f"{field} is {theirs!r} there, and {ours!r} asked for", where))
    gradients = []
    for gradient, section, asked in asked_derivatives(options):
        if gradient in there.gradients:
            gradients.append(gradient)
        elif asked.explicit:
            problems.append(Problem(f"{section} is not in the packed data set", where))
        else:
            notices.append(f"{folder}: no {section} of {name!r}, it is not trained on")
    return replace(
        there,
        gradients=tuple(gradients),
        strain_name="virial" if options.virial is not None else "stress",
        description=options.description or there.description,
        # what is a sum is an option, not a property of the stored numbers
        extensive=there.quantity == "energy" or wanted.extensive,
        aggregation=wanted.aggregation,
        rank=wanted.rank,
    )


def _chosen(
    indices: list[int] | None, n: int, folder: Path, problems: list[Problem]
) -> list[int] | None:
    if indices is None:
        return None
    outside = [i for i in indices if not 0 <= i < n]
    if outside:
        what = f"indices {outside[:5]} ({len(outside)} in all) are not in 0 … {n - 1}"
        problems.append(Problem(what, str(folder), f"it holds {n} structures, counted from 0"))
    if len(set(indices)) < len(indices):
        problems.append(Problem("an index occurs more than once", str(folder)))
    if not indices:
        problems.append(Problem("indices selects no structures", str(folder)))
    return indices


def _found_types(info: DatasetInfo, dataset: Dataset, chosen: list[int]) -> DatasetInfo:
    """``info`` with the elements of the structures ``chosen``."""
    counts = dataset.select(chosen).composition(info.atomic_types).sum(0).numpy()
    found = np.asarray(info.atomic_types)[counts > 0]
    return replace(info, atomic_types=tuple(found.tolist()))

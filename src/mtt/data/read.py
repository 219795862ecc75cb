"""Read the frames of a data set: every file once, everything checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import ase
import numpy as np

from mtt.data.files.raw_frame import RawFrame, from_ase
from mtt.data.files.reader import Files
from mtt.data.findings import Findings, files_of
from mtt.data.frames import Frame, FrameSet
from mtt.data.info import DatasetInfo
from mtt.data.labels.attach import Labels, Source
from mtt.data.labels.companions import compare
from mtt.data.labels.masks import apply_mask
from mtt.data.labels.spelling import spelling_notices
from mtt.data.labels.units import check_units
from mtt.data.labels.weights import structure_weights
from mtt.data.sanity import check_structures
from mtt.data.storage.info_keys import short_values
from mtt.data.tensor_files.declared import target_info
from mtt.data.tensor_files.target import TensorFiles
from mtt.errors import DataError, Problem
from mtt.options import load_eval_options
from mtt.options.values import DatasetOptions, ReadFrom, TargetOptions


def read_frames(options: DatasetOptions) -> FrameSet:
    """The structures and labels of one data set, checked.

    Labels may be in other files than the structures; those must hold the same structures in
    the same order. ``indices`` count frames of the files.

    :raises DataError: collects all mistakes, with file, frames, key and the keys that exist.
    """
    files = Files()
    systems = files.read(options.systems.read_from, options.systems.reader)
    keep = _checked_indices(options.indices, systems)
    notices: list[str] = []
    chosen = systems if keep is None else [systems[i] for i in keep]
    known = {id(systems): chosen}  # files, to the frames that go with the chosen structures

    def source(path: ReadFrom, reader: str | None, section: str) -> list[RawFrame]:
        frames = files.read(path, reader)
        if id(frames) not in known:
            notice = compare(systems, frames, section)
            notices.extend([notice] if notice else [])
            known[id(frames)] = frames if keep is None else [frames[i] for i in keep]
        return known[id(frames)]

    length_unit = options.systems.length_unit
    numbers = range(len(systems)) if keep is None else keep
    tensors = partial(TensorFiles, chosen, numbers, len(systems))
    frame_set = _read(
        chosen, source, options.targets, options.extra_data, length_unit, options.weight, tensors
    )
    return frame_set._replace(notices=(*notices, *frame_set.notices))


def spelled_out(
    targets: Mapping[str, Any], extra_data: Mapping[str, Any], length_unit: str
) -> tuple[dict[str, TargetOptions], dict[str, TargetOptions]]:
    """Targets and extra data, of options in plain types, with all that options may leave out.

    :raises ConfigError: collects all mistakes.
    """
    sections = {"targets": targets, "extra_data": extra_data}
    written: dict[str, Any] = {"systems": {"read_from": "atoms", "length_unit": length_unit}}
    for name, section in sections.items():
        plain = {k: v for k, v in section.items() if not isinstance(v, TargetOptions)}
        written |= {name: plain} if plain else {}
    (read,) = load_eval_options(written)
    return (
        {name: read.targets.get(name, target) for name, target in targets.items()},
        {name: read.extra_data.get(name, target) for name, target in extra_data.items()},
    )


def frames_from_atoms(
    atoms: Sequence[ase.Atoms],
    targets: Mapping[str, TargetOptions],
    extra_data: Mapping[str, TargetOptions] | None = None,
    length_unit: str = "angstrom",
    weight: float | str | None = None,
) -> FrameSet:
    """Like :func:`read_frames`, from structures in memory; ``read_from`` is ignored.

    :param weight: of all structures in the loss, or the key of a number in ``info``.
    :raises DataError: as :func:`read_frames`; frames are numbered as in ``atoms``.
    """
    systems = [from_ase(one, "atoms", number) for number, one in enumerate(atoms)]
    if not systems:
        raise DataError("no structures", where="atoms")
    return _read(systems, lambda *_: systems, targets, extra_data or {}, length_unit, weight)


def _read(
    systems: list[RawFrame],
    source: Source,
    targets: Mapping[str, TargetOptions],
    extra_data: Mapping[str, TargetOptions],
    length_unit: str,
    weight: float | str | None,
    tensors: Callable[[Findings], TensorFiles] | None = None,
) -> FrameSet:
    findings = Findings()
    if tensors is None:
        tensors = partial(TensorFiles, systems, range(len(systems)), len(systems))
    check_units(length_unit, targets, findings)
    check_structures(systems, findings)
    labels = Labels(systems, source, findings, tensors(findings))
    found = {name: labels.target(name, target) for name, target in targets.items()}
    extra = {name: labels.values(f"extra_data.{name}", item) for name, item in extra_data.items()}
    for name in found:
        if f"{name}_mask" in extra and not findings:
            apply_mask(name, found[name][0], extra[f"{name}_mask"], systems, findings)
    weights = structure_weights(systems, weight, findings)
    findings.raise_if_any()
    info = DatasetInfo(
        length_unit=length_unit,
        atomic_types=tuple(np.unique(np.concatenate([s.numbers for s in systems])).tolist()),
        targets={name: one for name, (_, one) in found.items()},
        extra_data={name: target_info(item) for name, item in extra_data.items()},
    )
    frames = [
        Frame(
            numbers=system.numbers,
            positions=system.positions,
            cell=system.cell,
            pbc=system.pbc,
            labels={name: rows[i] for name, (rows, _) in found.items()},
            extra={name: rows[i] for name, rows in extra.items()},
            source=system.source,
            weight=weights[i],
            info=short_values(system.per_structure),
        )
        for i, system in enumerate(systems)
    ]
    return FrameSet(frames, info, (*spelling_notices(systems), *labels.notices))


def _checked_indices(indices: list[int] | None, frames: list[RawFrame]) -> list[int] | None:
    if indices is None:
        return None
    file, n = files_of(frames), len(frames)
    problems = []
    if not indices:
        problems.append(Problem("indices selects no structures", file))
    outside = [i for i in indices if not 0 <= i < n]
    if outside:
        what = f"indices {outside[:5]} ({len(outside)} in all) are not in 0 … {n - 1}"
        problems.append(Problem(what, file, f"the file has {n} structures, counted from 0"))
    twice = [i for i, count in Counter(indices).items() if count > 1]
    if twice:
        what = f"indices {twice[:5]} occur more than once ({len(twice)} in all)"
        problems.append(Problem(what, file, "name every structure once"))
    if problems:
        raise DataError.collect(problems)
    return indices

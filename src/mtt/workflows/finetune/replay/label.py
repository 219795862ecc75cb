"""Labels of replayed structures: predicted by the source, or those of their file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mtt.data import Dataset, DatasetInfo, Frame, FrameLabels, TargetInfo
from mtt.data.info import POSITIONS, STRAIN
from mtt.data.labels.find_key import WRITE_NAN
from mtt.errors import DataError, Problem
from mtt.evaluation import predict
from mtt.graph import Target
from mtt.interface import ModelInterface

_BATCH = 8
_SHOWN = 5


def of_source(
    source: ModelInterface,
    dataset: Dataset,
    heads: Mapping[str, str],
    infos: Mapping[str, TargetInfo],
    device: torch.device | str,
) -> Dataset:
    """``dataset`` in memory, with what ``source`` predicts as its only labels.

    :param heads: name of each label to the target of the source that is predicted.
    :param infos: the labels, of the same names; derivatives that they name are predicted too, the
        stress of structures that fill no volume is left out.
    """
    bare = dataset.keep_targets(replace(dataset.info, targets={}))
    fills = bool((dataset.volumes > 0).any())
    kept = {
        name: replace(info, gradients=tuple(g for g in info.gradients if g == POSITIONS or fills))
        for name, info in infos.items()
    }
    parts: dict[str, list[Target]] = {name: [] for name in heads}
    for batch in predict(source, bare, batch_size=_BATCH, device=device):
        for name, old in heads.items():
            parts[name].append(batch.targets[old])
    source.to("cpu")
    found = {name: _joined(of_target) for name, of_target in parts.items()}
    return with_labels(bare, found, kept)


def with_labels(
    dataset: Dataset, labels: Mapping[str, Target], infos: Mapping[str, TargetInfo]
) -> Dataset:
    """The structures of ``dataset`` in memory with these labels alone, of all their derivatives.

    Extra data, which may be inputs of a model, stay.
    """
    types = tuple(sorted(set(dataset.types.tolist())))
    kept = dataset.info.extra_data
    info = DatasetInfo(dataset.info.length_unit, types, dict(infos), kept)
    inputs = {name: dataset.extra(name).numpy() for name in kept}
    ends = np.cumsum([0, *dataset.n_atoms.tolist()])
    volumes = dataset.volumes
    frames = []
    for i in range(len(dataset)):
        atoms, rows = dataset.atoms(i), slice(int(ends[i]), int(ends[i + 1]))
        own = {
            name: _labels_of(labels[name], one, i, rows, bool(volumes[i] > 0))
            for name, one in infos.items()
        }
        geometry = (atoms.numbers, atoms.positions, np.asarray(atoms.cell), atoms.pbc)
        extra = {
            name: values[rows if kept[name].per_atom else slice(i, i + 1)]
            for name, values in inputs.items()
        }
        frames.append(Frame(*geometry, own, extra, dataset.source(i)))
    return Dataset.from_frames(frames, info)


def _labels_of(target: Target, info: TargetInfo, i: int, rows: slice, fills: bool) -> FrameLabels:
    values = target.values[rows if info.per_atom else slice(i, i + 1)]
    forces = strain = None
    if POSITIONS in info.gradients and target.forces is not None:
        forces = target.forces[rows]
    if STRAIN in info.gradients and target.strain is not None:
        strain = target.strain[i]
    if strain is not None and not fills:
        strain = torch.full_like(strain, float("nan"))
    return FrameLabels(
        values.numpy(),
        None if forces is None else forces.numpy(),
        None if strain is None else strain.numpy(),
    )


def _joined(parts: Sequence[Target]) -> Target:
    def join(name: str) -> Tensor | None:
        found = [getattr(one, name) for one in parts]
        known = [one.detach().double().cpu() for one in found if one is not None]
        return torch.cat(known) if len(known) == len(parts) else None

    values = join("values")
    assert values is not None
    return Target(values, join("forces"), join("strain"))


def renamed(dataset: Dataset, names: Mapping[str, str]) -> Dataset:
    """A view whose targets have other names; those that are not in ``names`` are left out.

    :param names: target to its new name.
    """
    rows = {}
    for key, column in dataset.columns.rows.items():
        kind, colon, target = key.partition(":")
        moved = colon and kind != "extra" and target in names
        rows[f"{kind}:{names[target]}" if moved else key] = column
    targets = {names[n]: one for n, one in dataset.info.targets.items() if n in names}
    info = replace(dataset.info, targets=targets)
    columns = replace(dataset.columns, rows=rows)
    view = Dataset(columns, info, dataset.structures, dataset.notices, dataset.name)
    view.prepare(dataset.requested)
    return view


def check_labelled(dataset: Dataset, where: str) -> None:
    """Whether every structure has all labels that the file gives some structures.

    :raises DataError: one problem per kind of label, with the first frames that lack it.
    """
    problems = []
    for name, info in dataset.info.targets.items():
        target = dataset.target(name)
        kinds = {"values": target.values, "forces": target.forces, "stress": target.strain}
        for kind, rows in kinds.items():
            if rows is None:
                continue
            of_atoms = kind == "forces" or info.per_atom
            lacking = (~rows.isfinite()).flatten(1).any(dim=1)
            if kind == "stress":  # a structure without a volume has none
                lacking &= dataset.volumes > 0
            owner = torch.arange(len(dataset))
            if of_atoms:
                owner = owner.repeat_interleave(dataset.n_atoms)
            frames = owner[lacking].unique().tolist()
            if frames:
                shown = ", ".join(dataset.source(i) for i in frames[:_SHOWN])
                more = f" and {len(frames) - _SHOWN} more" if len(frames) > _SHOWN else ""
                what = name if kind == "values" else f"{kind} of {name}"
                problems.append(
                    Problem(
                        f"{len(frames)} replayed structures have no {what}: {shown}{more}",
                        where,
                        "add the labels, or use labels: source, which predicts them",
                    )
                )
    if problems:
        raise DataError.collect(problems)


def located(problem: Problem, where: str) -> Problem:
    """A problem of the file keeps its frame, and says which option names the file.

    :param where: the section of the replay.
    """
    hint = problem.hint.replace(WRITE_NAN, "leave such structures out, or use labels: source")
    place = f"{where}.data: {problem.where}" if problem.where else where
    return problem._replace(where=place, hint=hint)

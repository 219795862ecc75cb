"""What models get and give for plain structures, through the way that users take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import ase
import torch
from metatomic.torch import AtomisticModel

from mtt.data import Dataset
from mtt.data.batching.pairs import n_rows
from mtt.data.info import DatasetInfo, TargetInfo
from mtt.evaluation.outputs import model_info
from mtt.evaluation.predict import predict
from mtt.graph import Graph, Target
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.mlip.batches import batches_of

AnyModel: TypeAlias = "ModelInterface | AtomisticModel"


def predictions(
    model: AnyModel,
    structures: Sequence[ase.Atoms],
    *,
    info: DatasetInfo | None = None,
    batch_size: int = 1,
) -> list[dict[str, Target]]:
    """What ``model`` predicts for each of ``structures``, in float64.

    :param info: units and targets; None: the model's own.
    :return: for every structure and target ``values`` [1, n_atoms or pairs, ...]; energies
        have ``forces`` [n_atoms, 3] and ``strain`` [3, 3].
    :raises DataError: an element that the model does not know.
    """
    known = model_info(model) if info is None else info
    data = Dataset.from_atoms(structures, {}, length_unit=known.length_unit)
    found: list[dict[str, Target]] = []
    for batch in predict(model, data, batch_size=batch_size):
        counts = [int(n) for n in batch.n_atoms]
        owner = torch.zeros(0, dtype=torch.int64) if batch.pairs is None else batch.pairs[:, 0]
        n_pairs = torch.bincount(owner, minlength=len(counts)).tolist()
        split = {
            name: _split(known.targets[name], target, counts, n_pairs)
            for name, target in batch.targets.items()
        }
        found += [{name: split[name][i] for name in split} for i in range(len(counts))]
    return found


def graph_of(model: MLIPModel, structures: Sequence[ase.Atoms]) -> Graph:
    """``structures`` in one graph, as ``model`` gets them in training.

    :raises DataError: an element that the model does not know.
    """
    dataset = Dataset.from_atoms(structures, {}, length_unit=model.dataset_info.length_unit)
    return next(batches_of(model, dataset, len(structures))).graph


def _split(info: TargetInfo, target: Target, counts: list[int], n_pairs: list[int]) -> list[Target]:
    """One :class:`Target` per structure."""
    rows = target.values.double().split(n_rows(info, counts, n_pairs))
    if not info.is_energy:
        return [Target(values) for values in rows]
    # a constant energy has no derivative to speak of: it is zero
    forces = torch.zeros(sum(counts), 3) if target.forces is None else target.forces
    strain = torch.zeros(len(counts), 3, 3) if target.strain is None else target.strain
    parts = zip(rows, forces.double().split(counts), strain.double(), strict=True)
    return [Target(*each) for each in parts]

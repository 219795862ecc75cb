"""Features of atoms: what does not change them, and what those of a structure are."""

from __future__ import annotations

from collections.abc import Iterator

import ase
import numpy as np
import torch
from metatomic.torch import ModelOutput
from torch import Tensor

from mtt.exporting import probe
from mtt.exporting.structures import structure
from mtt.mlip import MLIPModel
from mtt.testing import systems
from mtt.testing.checks.symmetry import TOLERANCE, orthogonal
from mtt.testing.failure import CheckFailed, DoesNotApply
from mtt.testing.measure import Measured, compared
from mtt.testing.subject import Subject


def check_features(subject: Subject) -> Iterator[Measured]:
    """Features of atoms stay in a rotation and follow their atoms; of structures are sums."""
    model = subject.graph_model()
    names = [] if model is None else [name for name in model.feature_names if name]
    if model is None or not names:
        raise DoesNotApply("the model has no features: it does not define atomic_features")
    one = systems.cluster(subject.elements)
    found = _features(model, names, one, "atom")
    turned, order = one.copy(), np.random.default_rng(5).permutation(len(one))
    turned.positions = one.positions @ orthogonal().T
    moved = one.copy()
    moved.rattle(0.05, seed=4)
    for name, values in found.items():
        if torch.equal(values, _features(model, [name], moved, "atom")[name]):
            raise CheckFailed(f"{name} does not change when the atoms move")
        other = _features(model, [name], turned, "atom")[name]
        yield compared(f"{name}, rotated", other, values, TOLERANCE)
        shuffled = _features(model, [name], one[order], "atom")[name]
        yield compared(f"{name}, in another order", shuffled, values[order], TOLERANCE)
        sums = _features(model, [name], one, "system")[name]
        yield compared(
            f"{name} of the structure, and the sum of its atoms",
            sums, values.sum(0, keepdim=True), TOLERANCE,
        )  # fmt: skip


def _features(
    model: MLIPModel, names: list[str], one: ase.Atoms, sample_kind: str
) -> dict[str, Tensor]:
    """[n, k] of each output ``names`` of one structure."""
    lists = model.requested_neighbor_lists()
    content = structure(one, lists)
    unit = torch.eye(3, dtype=torch.float64)
    outputs = {name: ModelOutput(sample_kind=sample_kind) for name in names}
    found = model([probe.system(content, content["positions"], unit, lists)], outputs)
    if sorted(found) != sorted(names):
        raise CheckFailed(f"{', '.join(found)} come where {', '.join(names)} are asked for")
    return {name: found[name].block().values.detach() for name in names}

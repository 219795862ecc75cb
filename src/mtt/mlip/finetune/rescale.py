"""A scale of the source that is far from the forces of the data, folded into the last layer.

A network of order one learns best (see :func:`mtt.mlip.fitting.fit_scales`). Where the scale is
far from the root mean square of the forces, one step of the optimizer moves predictions by too
much or too little, and a loss in units of the scale is clipped or drowned. Scale times last layer
is what predictions depend on: one is multiplied by a power of two and the other divided by it,
which floating-point numbers do exactly.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mtt.mlip.batches import batches_of
from mtt.mlip.model import MLIPModel
from mtt.mlip.noise import is_noise
from mtt.mlip.systems import seen_pairs
from mtt.mlip.trainable.last_layer import last_layer

if TYPE_CHECKING:
    from mtt.data import Dataset

FAR = 4.0
"""Factor between scale and forces from which on the scale is moved; smaller ones cost nothing."""


def refold_scales(model: MLIPModel, dataset: Dataset, names: Collection[str]) -> list[str]:
    """Move the scales of the targets ``names`` near the root mean square of their forces.

    Predictions stay what they are, bit for bit; where those of a structure do not, for a last
    layer that is not linear, say, the model stays what it was.

    :param dataset: with labels of the targets; those without forces are left out.
    :return: what was done, in sentences.
    """
    notes = []
    for name in names:
        size = _of_forces(dataset, name)
        scale = abs(model.scales[name])
        if is_noise(size, scale) or max(size / scale, scale / size) < FAR:
            continue
        factor = 2.0 ** round(math.log2(size / scale))
        said = f"the scale of {name} is {scale:.3g}, and its forces are {size:.3g} (RMS)"
        if _refold(model, dataset, name, factor):
            done = f"it becomes {scale * factor:.3g}, and the last layer is divided by {factor:g}"
            notes.append(f"{said}: {done}; no prediction changes")
        else:
            notes.append(f"{said}; it stays, since the last layer of its head is not known")
    return notes


def _of_forces(dataset: Dataset, name: str) -> float:
    """Root mean square of the labels; 0 without any."""
    target = dataset.target(name) if name in dataset.info.targets else None
    if target is None or target.forces is None:
        return 0.0
    known = target.forces[target.forces.isfinite()]
    return float(known.square().mean().sqrt()) if len(known) else 0.0


@torch.no_grad()
def _refold(model: MLIPModel, dataset: Dataset, name: str, factor: float) -> bool:
    width = model.dataset_info.targets[name].properties
    layer = last_layer(model, model.head_modules(), name, width)
    before = _values(model, dataset, name)
    for parameter in layer.values():
        parameter.div_(factor)
    if layer and torch.equal(_values(model, dataset, name) * factor, before):
        model.scale.values[model.target_names.index(name)] *= factor
        return True
    for parameter in layer.values():
        parameter.mul_(factor)
    return False


def _values(model: MLIPModel, dataset: Dataset, name: str) -> Tensor:
    """The network's own numbers of the first structure."""
    (batch,) = batches_of(model, dataset.select([0]), 1)
    training = model.training
    model.eval()
    values = model.predict(seen_pairs(batch.graph, model.list_cutoff(), model.cutoff))[name]
    model.train(training)
    return values

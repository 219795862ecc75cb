"""The scale of derivatives by strain of targets that are not energies.

Derivatives by strain grow with the cell, and have the unit of the target. The scale of the target
is that of its derivatives by positions, per length, or of its values. Derivatives of energies have
one scale, per atom. For other targets, the scale is multiplied by the ratio of the root mean
squares of the labels, so that a relative error of the derivatives by strain counts as much in the
loss as one of the labels from which the scale is measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtt.mlip.fitting import residuals, typical
from mtt.mlip.noise import is_noise, largest, root_mean_square, spread

if TYPE_CHECKING:
    from mtt.data import Dataset
    from mtt.mlip import MLIPModel


def strain_scales(model: MLIPModel, training: Dataset) -> dict[str, float]:
    """Target to the scale of its derivatives by strain, in the unit of the target.

    Where the scale is that of values that are sums over atoms, both sides of the ratio are per
    atom. Targets that are energies, and those without labels that are more than rounding noise,
    are left out; their scale is that of the target.

    :param model: with its baselines and scales as they are when the training begins.
    :param training: all labels of the training set.
    """
    info, scales, found = model.dataset_info, model.scales, {}
    table = model.composition.values.cpu()
    for i, (name, target) in enumerate(info.targets.items()):
        labels = training.target(name).strain
        if target.is_energy or not target.has_strain or labels is None:
            continue
        weights = table[:, model.ends[i - 1] if i else 0 : model.ends[i]]
        residual = residuals(training, name, info, weights, None)
        if not largest(labels) > 0.0 or is_noise(largest(labels), spread(residual)):
            continue
        measured = typical(training, name, residual)
        if measured is residual and target.pooling == "sum":
            labels = labels / training.n_atoms.reshape(-1, *[1] * (labels.dim() - 1))
        found[name] = scales[name] * root_mean_square(labels) / root_mean_square(measured)
    return found

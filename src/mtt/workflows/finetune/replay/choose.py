"""Which structures are replayed: at random, or far from each other in the source's features."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.data import Dataset
from mtt.errors import ConfigError
from mtt.mlip import MLIPModel
from mtt.mlip.batches import batches_of
from mtt.mlip.trainable.features import features_of, last_weights
from mtt.options.training.finetune import SECTION
from mtt.stopping import stop_if_asked

Indices = NDArray[np.int64]


def at_random(n: int, number: int, seed: int) -> Indices:
    """``number`` of ``n``, ascending; the same for the same seed."""
    chosen = np.random.default_rng(seed).permutation(n)[:number]
    return np.sort(chosen)


def farthest_points(features: Tensor, number: int, seed: int) -> Indices:
    """Farthest-point sampling (Gonzalez, Theor. Comput. Sci. 38, 293, 1985).

    Each point is the one farthest from those before it; the first one is drawn from the seed.
    Features are compared in units of their standard deviations.

    :param features: [n, n_features] float64, n at least ``number``.
    :return: [number] in the order of the choice; ties go to the first.
    """
    deviations = features.std(dim=0, correction=0)
    varied = deviations > 1e-12 * features.abs().amax(dim=0)
    points = features[:, varied] / deviations[varied]
    nearest = torch.full((len(points),), float("inf"), dtype=torch.float64)
    index = int(np.random.default_rng(seed).integers(len(points)))
    chosen = []
    for _ in range(number):
        chosen.append(index)
        nearest = torch.minimum(nearest, (points - points[index]).square().sum(dim=1))
        nearest[chosen] = -1.0  # equal structures are not taken twice
        index = int(nearest.argmax())
    return np.array(chosen, dtype=np.int64)


def structure_features(
    model: MLIPModel, target: str, dataset: Dataset, device: torch.device | str
) -> Tensor:
    """[n, n_features] float64: what the last layer of a head sees, averaged over the atoms.

    See :mod:`mtt.mlip.trainable.features`.

    :param target: whose head.
    :raises ConfigError: the model does not say which of its weights are the head.
    """
    model.to(device)
    weights = last_weights(model, target)
    if not weights:
        raise ConfigError(
            f"{type(model).__name__} does not say which of its weights are the head of {target}, "
            "which features are taken from",
            where=f"{SECTION}.replay.select",
            hint="use select: random",
        )
    training = model.training
    model.eval()
    rows = []
    for batch in batches_of(model, dataset, 1):
        stop_if_asked()
        rows += features_of(model, target, batch.graph, weights)
    model.train(training)
    return torch.stack(rows)

"""Features of structures: what the last layer of a head sees, averaged over the atoms.

Derivatives of the network's value by the weights of the last layer are the sums of its inputs over
atoms, whatever the architecture is (last-layer features: Bigi et al., arXiv:2403.02251).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtt.graph import Graph
from mtt.mlip.aggregation.heads import heads_of
from mtt.mlip.model import MLIPModel
from mtt.mlip.systems import seen_pairs
from mtt.mlip.trainable.last_layer import in_head, last_matrices


def last_weights(model: MLIPModel, target: str) -> Sequence[Tensor]:
    """Matrices of the head that end in as many numbers as the target has; else all of the head.

    Weights that an architecture never trains have no derivatives. Empty where the model does not
    say which of its weights are the head.
    """
    heads, width = heads_of(model), model.dataset_info.targets[target].properties
    own = [one for one in in_head(model, heads, target).values() if one.requires_grad]
    if not own:
        return []
    matrices = last_matrices(model, heads, target, width).values()
    return [one for one in matrices if one.requires_grad] or own


def features_of(
    model: MLIPModel, target: str, graph: Graph, weights: Sequence[Tensor]
) -> list[Tensor]:
    """[n_features] float64 of each structure with atoms in it.

    The network is evaluated once; each structure then costs the derivative of the head alone.

    :param weights: of :func:`last_weights`.
    """
    within = seen_pairs(graph, model.list_cutoff(), model.cutoff)
    with torch.enable_grad():
        values = model.predict(within)[target]
        of_pairs = model.dataset_info.targets[target].per_pair
        owner = graph.system[within.centers] if of_pairs else graph.system
        sizes = torch.bincount(owner, minlength=graph.n_systems).tolist()
        # an isolated atom has no pairs: the sum of nothing is zero
        means = [one.mean() if len(one) else one.sum() for one in values.split(sizes)]
    return [_row(mean, weights) for mean in means]


def _row(mean: Tensor, weights: Sequence[Tensor]) -> Tensor:
    gradients = torch.autograd.grad(mean, weights, allow_unused=True, retain_graph=True)
    parts = [
        torch.zeros_like(w) if g is None else g for g, w in zip(gradients, weights, strict=True)
    ]
    return torch.cat([part.detach().flatten().double().cpu() for part in parts])

"""The pair j → i that belongs to a pair i → j: how messages pass from one atom to the other."""

from typing import Optional

import torch
from torch import Tensor

from mtt.graph import PairRows


def reverse_pairs(
    centers: Tensor,
    neighbors: Tensor,
    vectors: Tensor,
    n_atoms: int,
    known: Optional[PairRows] = None,
) -> Tensor:
    """For each pair the number of the same one seen from its other end, [P] int64.

    Of the pairs from ``neighbors[p]`` to ``centers[p]``, of which periodic images make several,
    it is the one whose vector is nearest to ``-vectors[p]``: vectors need not be opposite to the
    last digit. A pair that has no counterpart, as may happen within rounding of the cutoff,
    is its own.

    :param centers: [P] int64.
    :param neighbors: [P] int64.
    :param vectors: [P, 3]; no gradient passes.
    :param known: ``graph.rows``, where all is known; the search reads numbers from the device.
    """
    if known is not None:
        return known.reverse
    vectors = vectors.detach()
    pairs = torch.arange(centers.shape[0], device=centers.device)
    keys = centers * n_atoms + neighbors
    order = torch.argsort(keys, stable=True)
    keys, wanted = keys[order], neighbors * n_atoms + centers
    first = torch.searchsorted(keys, wanted)
    counts = torch.searchsorted(keys, wanted, right=True) - first
    if bool((counts == 1).all()):
        return order[first]
    # every pair beside each of its candidates
    pair = pairs.repeat_interleave(counts)
    place = torch.arange(pair.shape[0], device=pairs.device) - (counts.cumsum(0) - counts)[pair]
    candidate = order[first[pair] + place]
    distances = (vectors[pair] + vectors[candidate]).square().sum(dim=1)
    infinite = torch.full_like(vectors[:, 0], float("inf"))
    shortest = infinite.scatter_reduce(0, pair, distances, "amin")
    nearest = distances == shortest[pair]
    # the first of several that are equally near
    none = torch.full_like(pairs, pairs.shape[0])
    found = none.scatter_reduce(0, pair[nearest], candidate[nearest], "amin")
    return torch.where(counts == 0, pairs, found)

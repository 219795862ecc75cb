"""Find weights that are not finite, and structures whose predictions are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from mtt.graph import Target

if TYPE_CHECKING:
    from mtt.data import Batch, Dataset, TargetInfo


def nonfinite_weights(model: torch.nn.Module) -> str:
    """Which parameters are not finite, in words; empty where all are."""
    bad = [name for name, p in model.named_parameters() if not torch.isfinite(p).all()]
    more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
    return f"not all weights are finite: {', '.join(bad[:3])}{more}" if bad else ""


def nonfinite(
    predictions: Mapping[str, Target], batch: Batch, targets: Mapping[str, TargetInfo]
) -> list[int]:
    """Structures of ``batch``, by their ``index``, of which a prediction is not finite."""
    graph, n = batch.graph, len(batch.index)
    bad = torch.zeros(n, dtype=torch.bool, device=batch.index.device)
    for name, target in predictions.items():
        info = targets[name]
        of_values = graph.system[graph.centers] if info.per_pair else graph.system
        for values, owner in (
            (target.values, None if info.per_structure else of_values),
            (target.forces, graph.system),
            (target.strain, None),
        ):
            if values is None:
                continue
            rows = ~torch.isfinite(values).flatten(1).all(1)
            bad[rows.nonzero()[:, 0] if owner is None else owner[rows]] = True
    index: list[int] = batch.index[bad].tolist()
    return index


def named_sources(index: Sequence[int], dataset: Dataset) -> str:
    """Name the sources of the first structures of ``index``, and the number of others."""
    more = f"; and {len(index) - 5} more" if len(index) > 5 else ""
    return "; ".join(dataset.source(i) for i in index[:5]) + more

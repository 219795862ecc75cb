"""What a model prepares of a graph before it predicts, in the loader's time and not in a step's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from mtt.graph import Graph
from mtt.mlip.systems import pairs_within, seen_pairs


class Preparing(Protocol):
    """The part of a model that this takes."""

    cutoff: float

    def list_cutoff(self) -> float: ...

    def prepare(self, graph: Graph) -> list[Tensor]: ...


def preparing(model: Preparing) -> Callable[[Graph], Graph]:
    """A function that adds to a graph which pairs ``model`` sees, and what it prepares of them.

    :meth:`mtt.MLIPModel.prepare` reads numbers out of tensors, for which a GPU must finish all
    that it was given. A graph that carries the result spares that in training and prediction.
    """

    @torch.no_grad()
    def prepared(graph: Graph) -> Graph:
        listed = model.list_cutoff()
        if listed > model.cutoff:
            graph = graph._replace(seen=pairs_within(graph, model.cutoff))
        within = seen_pairs(graph, listed, model.cutoff)
        return graph._replace(prepared=model.prepare(within))

    return prepared

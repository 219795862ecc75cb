"""What a model prepares of a graph before it predicts, in the loader's time and not in a step's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from mtt.graph import Graph
from mtt.mlip.systems import pairs_within, seen_pairs

if TYPE_CHECKING:
    from mtt.mlip.model import MLIPModel


def preparing(model: MLIPModel) -> Callable[[Graph], Graph]:
    """A function that adds to a graph which pairs ``model`` sees, and what it prepares of them.

    :meth:`mtt.MLIPModel.prepare` reads numbers out of tensors, for which a GPU must finish all
    that it was given. A graph that carries the result spares that in training and prediction.
    Graphs on the host are prepared there, by a copy of the model where that is on a GPU.
    """
    copies: list[MLIPModel] = []

    @torch.no_grad()
    def prepared(graph: Graph) -> Graph:
        maker = model
        if graph.types.device != model.device:
            if not copies:
                copies.append(copy.deepcopy(model).to(graph.types.device))
            maker = copies[0]
        listed = model.list_cutoff()
        if listed > model.cutoff:
            graph = graph._replace(seen=pairs_within(graph, model.cutoff))
        within = seen_pairs(graph, listed, model.cutoff)
        return graph._replace(prepared=maker.prepare(within))

    return prepared

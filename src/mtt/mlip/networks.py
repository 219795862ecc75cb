"""The ways to evaluate a network: as it is written, in mixed precision, or compiled."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from mtt.graph import Graph
from mtt.mlip.systems import pairs_within, seen_pairs


class NetworkValues(NamedTuple):
    """What a network says of a graph, before scales and baselines.

    :param values: per target [n_atoms, properties] or [n_atoms], in the network's precision.
    :param slopes: derivatives of the sums of energies by ``graph.vectors``, [P, 3] each, where
        they are known already; others are had from ``values`` by automatic differentiation.
    """

    values: dict[str, Tensor]
    slopes: dict[str, Tensor]


class Network(Protocol):
    """Evaluates the network of a model; what ``MLIPModel.predict_targets`` takes.

    Called with the graph that the network may see: pairs within its own cutoff.
    """

    def __call__(self, graph: Graph) -> NetworkValues: ...


class Predicting(Protocol):
    """What an author writes, and where it runs."""

    @property
    def device(self) -> torch.device: ...

    def predict(self, graph: Graph) -> dict[str, Tensor]: ...

    def predict_prepared(self, graph: Graph, prepared: list[Tensor]) -> dict[str, Tensor]: ...


class PlainNetwork:
    """``model.predict`` as it is written, operation by operation.

    :param autocast: precision of the products, by ``torch.autocast``; None: that of the weights,
        whatever autocast surrounds the call.
    """

    def __init__(self, model: Predicting, autocast: torch.dtype | None = None) -> None:
        self._model = model
        self._autocast = autocast

    def __call__(self, graph: Graph) -> NetworkValues:
        lower = self._autocast is not None
        with torch.autocast(self._model.device.type, self._autocast, enabled=lower):
            if graph.prepared is None:
                return NetworkValues(self._model.predict(graph), {})
            return NetworkValues(self._model.predict_prepared(graph, graph.prepared), {})


class Preparing(Protocol):
    """The part of a model that prepares graphs."""

    cutoff: float

    @property
    def device(self) -> torch.device: ...

    def list_cutoff(self) -> float: ...

    def prepare(self, graph: Graph) -> list[Tensor]: ...


def preparing(model: Preparing) -> Callable[[Graph], Graph]:
    """A function that adds to a graph which pairs ``model`` sees, and what it prepares of them.

    :meth:`mtt.MLIPModel.prepare` reads numbers out of tensors, for which a GPU must finish all
    that it was given. A graph that carries the result spares that in training and prediction.
    Graphs on the host are prepared there, by a copy of the model where that is on a GPU.
    """
    copies: list[Preparing] = []

    @torch.no_grad()
    def prepared(graph: Graph) -> Graph:
        maker = model
        if graph.types.device != model.device:
            if not copies:
                copied = copy.deepcopy(model)
                assert isinstance(copied, torch.nn.Module)
                copies.append(copied.to(graph.types.device))
            maker = copies[0]
        listed = model.list_cutoff()
        if listed > model.cutoff:
            graph = graph._replace(seen=pairs_within(graph, model.cutoff))
        within = seen_pairs(graph, listed, model.cutoff)
        return graph._replace(prepared=maker.prepare(within))

    return prepared

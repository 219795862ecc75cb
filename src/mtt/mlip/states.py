"""Charge and spin of structures: how they come from engines to a model.

A model that depends on them sets ``state_inputs``, and finds them in ``graph.charges`` and
``graph.spins``. Where an engine or a data set gives none, they are 0 and 1.
"""

from typing import Dict, List, Optional

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import System
from torch import Tensor

from mtt.graph import Graph

STATES: Dict[str, float] = {"charge": 0.0, "spin_multiplicity": 1.0}
"""Names of metatomic's inputs, which are those of ``extra_data`` too, and their defaults."""


def state_map(name: str, value: Tensor) -> TensorMap:
    """One of the inputs of one structure, as metatomic's systems carry it.

    :param value: one number.
    """
    zero = torch.zeros(1, 1, dtype=torch.int32, device=value.device)
    block = TensorBlock(value.reshape(1, 1), Labels(["system"], zero), [], Labels([name], zero))
    return TensorMap(Labels(["_"], zero), [block])


def with_states(graph: Graph, systems: List[System]) -> Graph:
    """``graph`` with the charges and spins that ``systems`` carry; compiled by TorchScript."""
    charges: List[Tensor] = []
    spins: List[Tensor] = []
    device = graph.vectors.device
    for system in systems:
        known = system.known_data()
        charge = torch.zeros(1, dtype=torch.float64, device=device)
        spin = torch.ones(1, dtype=torch.float64, device=device)
        if "charge" in known:
            charge = system.get_data("charge").block().values.reshape(1).to(torch.float64)
        if "spin_multiplicity" in known:
            values = system.get_data("spin_multiplicity").block().values
            spin = values.reshape(1).to(torch.float64)
        charges.append(charge)
        spins.append(spin)
    return with_inputs(graph, torch.cat(charges), torch.cat(spins), None)


def with_inputs(
    graph: Graph,
    charges: Optional[Tensor],
    spins: Optional[Tensor],
    numbers: Optional[Dict[str, Tensor]],
) -> Graph:
    """``graph`` with other inputs, and without what a loader knows; compiled by TorchScript."""
    return Graph(
        types=graph.types,
        system=graph.system,
        n_systems=graph.n_systems,
        centers=graph.centers,
        neighbors=graph.neighbors,
        vectors=graph.vectors,
        positions=graph.positions,
        cells=graph.cells,
        charges=charges,
        spins=spins,
        numbers=numbers,
    )

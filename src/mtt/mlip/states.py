"""Charge and spin of structures: what engines are asked for, and how it comes to a model.

A model that depends on them sets ``state_inputs``, and finds them in ``graph.charges`` and
``graph.spins``. Where an engine or a data set gives none, they are 0 and 1.
"""

from typing import Dict, List

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import ModelOutput, System
from torch import Tensor

from mtt.graph import Graph
from mtt.mlip.systems import list_of, systems_to_graph

STATES: Dict[str, float] = {"charge": 0.0, "spin_multiplicity": 1.0}
"""Names of metatomic's inputs, which are those of ``extra_data`` too, and their defaults."""


def requested_states(state_inputs: bool) -> Dict[str, ModelOutput]:
    """The inputs as metatomic's engines are asked for them: a number for each structure.

    :param state_inputs: whether the model depends on them; without it there are none.
    """
    units = {"charge": "e", "spin_multiplicity": ""}
    names = list(STATES) if state_inputs else []
    return {name: ModelOutput(unit=units[name], sample_kind="system") for name in names}


def state_map(name: str, value: Tensor) -> TensorMap:
    """One of the inputs of one structure, as metatomic's systems carry it.

    :param value: one number.
    """
    zero = torch.zeros(1, 1, dtype=torch.int32, device=value.device)
    block = TensorBlock(value.reshape(1, 1), Labels(["system"], zero), [], Labels([name], zero))
    return TensorMap(Labels(["_"], zero), [block])


def graph_of(
    systems: List[System],
    cutoff: float,
    type_index: Tensor,
    dtype: torch.dtype,
    state_inputs: bool,
) -> Graph:
    """The graph that a model sees of ``systems``; compiled by TorchScript.

    :param cutoff: of the neighbour list.
    :param type_index: see :func:`mtt.mlip.systems.systems_to_graph`; so ``dtype``.
    :param state_inputs: whether with charges and spins.
    """
    graph = systems_to_graph(systems, list_of(cutoff), type_index, dtype)
    return with_states(graph, systems) if state_inputs else graph


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
    return Graph(
        types=graph.types,
        system=graph.system,
        n_systems=graph.n_systems,
        centers=graph.centers,
        neighbors=graph.neighbors,
        vectors=graph.vectors,
        positions=graph.positions,
        cells=graph.cells,
        charges=torch.cat(charges),
        spins=torch.cat(spins),
    )

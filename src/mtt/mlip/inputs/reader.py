"""How inputs come from engines to a model; compiled by TorchScript."""

from typing import Dict, List, Mapping, Optional

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import System
from torch import Tensor

from mtt.graph import Graph
from mtt.mlip.inputs.names import engine_name
from mtt.mlip.states import STATES, with_inputs


class InputReader(torch.nn.Module):
    """Adds to a graph the inputs that metatomic's systems carry.

    :param inputs: name to whether it is of atoms; at least one.
    """

    def __init__(self, inputs: Mapping[str, bool]) -> None:
        super().__init__()
        self.names: List[str] = list(inputs)
        self.per_atom: List[bool] = list(inputs.values())
        self.asked: List[str] = [engine_name(*item) for item in inputs.items()]
        self.defaults: List[float] = [STATES.get(name, float("nan")) for name in inputs]

    def forward(self, graph: Graph, systems: List[System]) -> Graph:
        """``graph`` of ``systems`` with their inputs.

        :raises ValueError: a system lacks an input that has no default.
        """
        charges: Optional[Tensor] = graph.charges
        spins: Optional[Tensor] = graph.spins
        numbers: Dict[str, Tensor] = {}
        for i, name in enumerate(self.names):
            values = self.read(i, systems)
            if name == "charge":
                charges = values
            elif name == "spin_multiplicity":
                spins = values
            else:
                numbers[name] = values
        return with_inputs(graph, charges, spins, numbers)

    def read(self, i: int, systems: List[System]) -> Tensor:
        """Input number ``i`` of all ``systems``, float64: [n_systems] or [n_atoms]."""
        asked, per_atom, default = self.asked[i], self.per_atom[i], self.defaults[i]
        found: List[Tensor] = []
        for system in systems:
            n = system.types.shape[0] if per_atom else 1
            if asked in system.known_data():
                values = system.get_data(asked).block().values.reshape(-1).to(torch.float64)
                if values.shape[0] != n:
                    rows = values.shape[0]
                    raise ValueError(f"{asked} has {rows} numbers for a structure, not {n}")
            else:
                if default != default:
                    raise ValueError(f"the model needs {asked}, which has no default value")
                values = torch.full([n], default, dtype=torch.float64, device=system.types.device)
            found.append(values)
        return torch.cat(found)


def input_map(per_atom: bool, values: Tensor) -> TensorMap:
    """An input of one structure, as metatomic's systems carry it.

    :param values: [1], or [n_atoms] of atoms.
    """
    zero = torch.zeros(1, 1, dtype=torch.int32, device=values.device)
    atoms = torch.arange(len(values), dtype=torch.int32, device=values.device)
    of_atoms = torch.stack([torch.zeros_like(atoms), atoms], dim=1)
    samples = Labels(["system", "atom"], of_atoms) if per_atom else Labels(["system"], zero)
    block = TensorBlock(values.reshape(-1, 1), samples, [], Labels(["_"], zero))
    return TensorMap(Labels(["_"], zero), [block])

"""What the charge and the spin of a structure add to the features of its atoms."""

from typing import List, Sequence

import torch
from torch import Tensor

from mtt import Graph
from mtt.errors import ArchitectureError


class SystemConditioning(torch.nn.Module):
    """MLP([c, s]) of a vector c of the charge and a vector s of the spin multiplicity.

    The last layer begins with zeros: a new model first learns what does not depend on them.

    :param width: features of an atom.
    :param max_charge: largest charge of either sign, in elementary charges.
    :param max_spin: largest spin multiplicity, 2 S + 1.
    :param inputs: what the model takes; a state that is not among them is 0, or 1 of spins.
    """

    def __init__(self, width: int, max_charge: int, max_spin: int, inputs: Sequence[str]) -> None:
        super().__init__()
        self.max_charge = max_charge
        self.max_spin = max_spin
        self.takes_charge = "charge" in inputs
        self.takes_spin = "spin_multiplicity" in inputs
        self.charge = torch.nn.Embedding(2 * max_charge + 1, width)
        self.spin = torch.nn.Embedding(max_spin, width)
        last = torch.nn.Linear(width, width)
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
        self.network = torch.nn.Sequential(torch.nn.Linear(2 * width, width), torch.nn.SiLU(), last)

    def states(self, graph: Graph) -> List[Tensor]:
        """Charge and spin multiplicity of each structure, [n_systems] int64.

        :raises ArchitectureError: they are not whole numbers within the limits; within
            TorchScript ValueError.
        """
        charges, spins = graph.charges, graph.spins
        neutral = torch.zeros(graph.n_systems, dtype=torch.float64, device=graph.types.device)
        charge = neutral if charges is None or not self.takes_charge else charges
        spin = neutral + 1 if spins is None or not self.takes_spin else spins
        self.check("charge", charge, -self.max_charge, self.max_charge)
        self.check("spin_multiplicity", spin, 1, self.max_spin)
        return [charge.to(torch.long), spin.to(torch.long)]

    def check(self, name: str, values: Tensor, least: int, most: int) -> None:
        """Refuse what has no vector."""
        wrong = values[(values != values.round()) | (values < least) | (values > most)]
        if wrong.shape[0] > 0:
            what = f"{name} {float(wrong[0])}: the model takes whole numbers from {least} to {most}"
            if torch.jit.is_scripting():
                raise ValueError(what)
            self.refuse(what, name)

    @torch.jit.unused
    def refuse(self, what: str, name: str) -> None:
        """As an error of the platform."""
        limit = "max_charge" if name == "charge" else "max_spin_multiplicity"
        raise ArchitectureError(what, hint=f"{limit} of a new model can be larger")

    def forward(self, charge: Tensor, spin: Tensor) -> Tensor:
        """[n_systems, width].

        :param charge: [n_systems] int64, between -max_charge and max_charge.
        :param spin: [n_systems] int64, multiplicity, between 1 and max_spin.
        """
        both = [self.charge(charge + self.max_charge), self.spin(spin - 1)]
        vectors: Tensor = self.network(torch.cat(both, dim=1))
        return vectors

    def extra_repr(self) -> str:
        return f"max_charge={self.max_charge}, max_spin={self.max_spin}"

"""What the charge and the spin of a structure add to the features of its atoms."""

import torch
from torch import Tensor


class SystemConditioning(torch.nn.Module):
    """MLP([c, s]) of a vector c of the charge and a vector s of the spin multiplicity.

    The last layer begins with zeros: a new model first learns what does not depend on them.

    :param width: features of an atom.
    :param max_charge: largest charge of either sign, in elementary charges.
    :param max_spin: largest spin multiplicity, 2 S + 1.
    """

    def __init__(self, width: int, max_charge: int, max_spin: int) -> None:
        super().__init__()
        self.max_charge = max_charge
        self.max_spin = max_spin
        self.charge = torch.nn.Embedding(2 * max_charge + 1, width)
        self.spin = torch.nn.Embedding(max_spin, width)
        last = torch.nn.Linear(width, width)
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
        self.network = torch.nn.Sequential(torch.nn.Linear(2 * width, width), torch.nn.SiLU(), last)

    def forward(self, charge: Tensor, spin: Tensor) -> Tensor:
        """[n_systems, width].

        :param charge: [n_systems] int64, between -max_charge and max_charge.
        :param spin: [n_systems] int64, multiplicity, between 1 and max_spin.
        """
        both = [self.charge(charge + self.max_charge), self.spin(spin - 1)]
        return self.network(torch.cat(both, dim=1))

    def extra_repr(self) -> str:
        return f"max_charge={self.max_charge}, max_spin={self.max_spin}"

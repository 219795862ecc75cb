"""What inputs beside the structure (charge, spin, named numbers) add to the features of atoms."""

import math
from typing import Dict, List, Mapping, Optional

import torch
from torch import Tensor

from mtt.errors import ArchitectureError
from mtt.graph import Graph
from mtt.nn.silu import silu

STATES = ("charge", "spin_multiplicity")


class _Input(torch.nn.Module):
    """An input of a model, by its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def refuse(self, what: str) -> None:
        """:raises ArchitectureError: with ``what``; within TorchScript ValueError."""
        if torch.jit.is_scripting():
            raise ValueError(what)
        self.refuse_in_python(what)

    @torch.jit.unused
    def refuse_in_python(self, what: str) -> None:
        """As an error of the platform."""
        raise ArchitectureError(what)

    def extra_repr(self) -> str:
        return repr(self.name)


class Electrons(_Input):
    """A charge, or a number of unpaired electrons, shared out among the atoms of a structure.

    Of Ψ electrons, atom i with features x_i gets a_i, which adds W silu(V a_i) to them:

        a_i = Ψ w_i / Σ_j w_j,    w_i = softplus(k · Q x_i / √D)

    with other vectors k and V where Ψ is negative, and no constant anywhere: a neutral structure
    without unpaired electrons is what it is without this input. As Σ_i a_i = Ψ, one electron
    more changes the sum over the atoms of a large structure as much as that of a small one. W
    begins with zeros.

    Unke et al., SpookyNet, Nature Communications 12, 7273 (2021),
    doi:10.1038/s41467-021-27504-0.

    :param name: ``"charge"``, or ``"spin_multiplicity"``: Ψ is then the multiplicity minus 1.
    :param width: D, features of an atom.
    """

    def __init__(self, name: str, width: int) -> None:
        super().__init__(name)
        self.scale = 1.0 / math.sqrt(width)
        self.query = torch.nn.Linear(width, width)
        # of positive and of negative numbers, side by side
        self.keys = torch.nn.Linear(width, 2, bias=False)
        self.values = torch.nn.Linear(2, width, bias=False)
        self.last = torch.nn.Linear(width, width, bias=False)
        torch.nn.init.zeros_(self.last.weight)

    def prepared(self, graph: Graph) -> Tensor:
        """Ψ of each structure, [n_systems] in the precision of the graph.

        :raises ArchitectureError: it is not a whole number, or a multiplicity below 1; within
            TorchScript ValueError.
        """
        given: Optional[Tensor] = graph.charges
        least = -math.inf
        none = 0.0
        if self.name == "spin_multiplicity":
            given, least, none = graph.spins, 1.0, 1.0
        if given is None:
            return torch.zeros([graph.n_systems], dtype=graph.vectors.dtype).to(graph.types.device)
        wrong = given[(given != given.round()) | (given < least) | (given != given)]
        if wrong.shape[0] > 0:
            of = "whole numbers from 1" if self.name == "spin_multiplicity" else "whole numbers"
            self.refuse(f"{self.name} {float(wrong[0])}: the model takes {of}")
        return (given - none).to(graph.vectors.dtype)

    def forward(self, psi: Tensor, x: Tensor, system: Tensor) -> Tensor:
        """What is added to the features, [n_atoms, width].

        :param psi: [n_systems], see :meth:`prepared`.
        :param x: [n_atoms, width] features of the elements.
        :param system: [n_atoms] int64, structure of each atom.
        """
        # in mixed precision products are rounded, and the shares must still add up to Ψ
        keys = self.keys(self.query(x)).to(x.dtype)
        weights = torch.nn.functional.softplus(self.scale * keys)
        total = weights.new_zeros([psi.shape[0], 2]).index_add(0, system, weights)
        both = torch.stack([psi.clamp(min=0.0), psi.clamp(max=0.0)], dim=1).to(weights.dtype)
        # a structure without atoms has no weights, and no rows below
        shares = weights * (both / total.clamp(min=1e-30)).index_select(0, system)
        added: Tensor = self.last(silu(self.values(shares)))
        return added


class Number(_Input):
    """A number z of each structure or each atom, which adds W silu(V z + b) to its features.

    z is the number minus its mean over the training set, in standard deviations; that of a
    structure is the same for all of its atoms. W begins with zeros.

    :param width: features of an atom.
    :param per_atom: the number is of atoms.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, name: str, width: int, per_atom: bool) -> None:
        super().__init__(name)
        self.per_atom = per_atom
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))
        self.hidden = torch.nn.Linear(1, width)
        self.last = torch.nn.Linear(width, width, bias=False)
        torch.nn.init.zeros_(self.last.weight)

    def prepared(self, graph: Graph) -> Tensor:
        """z, [n_systems] or [n_atoms], in the precision of the graph.

        :raises ArchitectureError: the graph has no such number, or one is missing; within
            TorchScript ValueError.
        """
        numbers = graph.numbers
        if numbers is None or self.name not in numbers:
            self.refuse(f"the model needs {self.name}, which is not given")
            numbers = {self.name: graph.vectors}  # not reached; TorchScript asks for a value
        values = numbers[self.name]
        if bool(values.isnan().any()):
            self.refuse(f"the model needs {self.name}, which is missing for a structure")
        return ((values - self.mean) / self.spread).to(graph.vectors.dtype)

    def forward(self, z: Tensor, x: Tensor, system: Tensor) -> Tensor:
        """What is added to the features, [n_atoms, width].

        :param z: see :meth:`prepared`.
        :param x: [n_atoms, width], not looked at.
        :param system: [n_atoms] int64, structure of each atom.
        """
        of_atoms = z if self.per_atom else z.index_select(0, system)
        added: Tensor = self.last(silu(self.hidden(of_atoms[:, None])))
        return added

    def extra_repr(self) -> str:
        return f"{self.name!r}, of each {'atom' if self.per_atom else 'structure'}"


class Conditioning(torch.nn.Module):
    """What all inputs of a model add to the features of its atoms: a sum, one part for each.

    :param width: features of an atom.
    :param inputs: ``MLIPModel.input_names``: name to whether it is of atoms; at least one.
    """

    def __init__(self, width: int, inputs: Mapping[str, bool]) -> None:
        super().__init__()
        self.parts = torch.nn.ModuleList(
            Electrons(name, width) if name in STATES else Number(name, width, per_atom)
            for name, per_atom in inputs.items()
        )

    def prepared(self, graph: Graph) -> List[Tensor]:
        """What :meth:`forward` takes, to be part of what a model's ``prepare`` returns.

        :raises ArchitectureError: see :meth:`Electrons.prepared` and :meth:`Number.prepared`.
        """
        tables: List[Tensor] = []
        for part in self.parts:
            tables.append(part.prepared(graph))  # type: ignore[operator]
        return tables

    def forward(self, prepared: List[Tensor], x: Tensor, system: Tensor) -> Tensor:
        """What is added to the features, [n_atoms, width].

        :param prepared: see :meth:`prepared`.
        :param x: [n_atoms, width] features of the elements.
        :param system: [n_atoms] int64, structure of each atom.
        """
        added = torch.zeros_like(x)
        for i, part in enumerate(self.parts):
            added = added + part(prepared[i], x, system)
        return added

    def modules_by_input(self, name: str) -> Dict[str, List[str]]:
        """What a model's ``input_modules`` returns.

        :param name: of this module in the model.
        """
        return {part.name: [f"{name}.parts.{i}"] for i, part in enumerate(self.parts)}  # type: ignore[misc]

    @torch.no_grad()
    def scale(self, name: str, mean: float, spread: float) -> None:
        """What a model's ``scale_input`` does."""
        for part in self.parts:
            if isinstance(part, Number) and part.name == name:
                part.mean.fill_(mean)
                part.spread.fill_(spread)

"""Which atoms are bonded: by their distances, or by a list for every molecule."""

from typing import Any, Dict, List

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from torch import Tensor

from mtt.baselines.exact import ExactTable
from mtt.baselines.prior.geometry import expand, find_pairs, length
from mtt.errors import DataError
from mtt.graph import Graph


class Connectivity(torch.nn.Module):
    """Atoms closer than ``factor`` times the sum of their covalent radii are bonded.

    The list of bonds follows the geometry: where a distance crosses that limit, energies jump.

    :param radii: [n_types] in the unit of ``graph.vectors``.
    """

    def __init__(self, radii: Tensor, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.n_types = radii.shape[0]
        self.limits = ExactTable(factor * (radii[:, None] + radii).flatten())
        self.longest_bond = 2 * factor * float(radii.max())
        self.tolerance = 1e-3 * self.longest_bond

    def forward(self, graph: Graph) -> Tensor:
        """[E] ascending indices of the bonds among the pairs, both directions of each."""
        r = length(graph.vectors.detach().to(torch.float64))
        code = graph.types[graph.centers] * self.n_types + graph.types[graph.neighbors]
        return torch.nonzero(r < self.limits(code))[:, 0]

    def extra_repr(self) -> str:
        return f"factor={self.factor}"


class Molecules(torch.nn.Module):
    """Bonds from lists: structures are one molecule of the list, or several of one kind.

    The order of the atoms matters: a structure belongs to a molecule if its elements are those
    of the molecule, in the same order, once or several times. Of several images of an atom the
    nearest one is bonded; the partner is sought within the same copy of the molecule, and where
    it is further than ``longest_bond`` (a bond through the boundary of a cell that has become a
    supercell) among the other copies.

    :param atomic_types: atomic numbers; ``graph.types`` indexes them.
    :param longest_bond: bonds are sought up to here, in the unit of ``graph.vectors``.
    """

    n_atoms: Tensor  # [m] int64, of every molecule
    types: Tensor  # [Σ n_atoms] int64, index of the element
    n_bonds: Tensor  # [m] int64
    bonds: Tensor  # [Σ n_bonds, 2] int64, atoms counted from 0 in every molecule

    def __init__(self, atomic_types: List[int], longest_bond: float) -> None:
        super().__init__()
        self.atomic_types = atomic_types
        self.longest_bond = longest_bond
        self.tolerance = 1e-3 * longest_bond
        none = torch.zeros(0, dtype=torch.int64)
        for name in ("n_atoms", "types", "n_bonds"):
            self.register_buffer(name, none)
        self.register_buffer("bonds", none.reshape(0, 2))

    def set(self, types: List[List[int]], bonds: List[List[List[int]]]) -> None:
        """Take these molecules: elements (as indices) of their atoms, and pairs of atoms."""
        # the largest first: a structure is rather one large molecule than several small ones
        order = sorted(range(len(types)), key=lambda i: -len(types[i]))
        device = self.types.device

        def joined(lists: List[List[Any]]) -> Tensor:
            flat = [item for i in order for item in lists[i]]
            return torch.tensor(flat, dtype=torch.int64, device=device)

        self.n_atoms = torch.tensor([len(types[i]) for i in order], device=device)
        self.n_bonds = torch.tensor([len(bonds[i]) for i in order], device=device)
        self.types, self.bonds = joined(types), joined(bonds).reshape(-1, 2)

    def take(self, source: "Molecules") -> None:
        """The molecules of ``source``, which may know fewer elements."""
        place = torch.tensor([self.atomic_types.index(z) for z in source.atomic_types])
        device = self.types.device
        self.n_atoms, self.n_bonds = source.n_atoms.to(device), source.n_bonds.to(device)
        self.types = place.to(device)[source.types.to(device)]
        self.bonds = source.bonds.to(device)

    def forward(self, graph: Graph) -> Tensor:
        """[E] ascending indices of the bonds among the pairs, both directions of each.

        :raises DataError: a structure of no molecule in the list, or a bond that is longer than
            ``longest_bond`` (RuntimeError in exported models).
        """
        place = torch.zeros_like(graph.types)  # of every atom within its molecule
        firsts: List[Tensor] = [place[:0]]
        seconds: List[Tensor] = [place[:0]]
        sizes: List[int] = torch.bincount(graph.system, minlength=graph.n_systems).tolist()
        lengths: List[int] = self.n_atoms.tolist()
        n_bonds: List[int] = self.n_bonds.tolist()
        begin = 0
        for size in sizes:
            types = graph.types[begin : begin + size]
            which = self.molecule(types, lengths)
            if size > 0:
                bonds = self.bonds.split(n_bonds)[which]
                n = lengths[which]
                place[begin : begin + size] = torch.arange(size, device=types.device) % n
                copies = torch.arange(0, size, n, device=types.device)[:, None] + begin
                firsts.append((copies + bonds[:, 0]).flatten())
                seconds.append((copies + bonds[:, 1]).flatten())
            begin += size
        return self.nearest(graph, torch.cat(firsts), torch.cat(seconds), place)

    def molecule(self, types: Tensor, lengths: List[int]) -> int:
        """Number of the molecule whose elements those of a structure repeat."""
        begin = 0
        for i, n in enumerate(lengths):
            one = self.types[begin : begin + n]
            begin += n
            if types.shape[0] % n == 0 and bool((types.reshape(-1, n) == one).all()):
                return i
        if types.shape[0] > 0:
            fail("the prior lists no molecule of these elements in this order", self.symbols(types))
        return 0

    def nearest(self, graph: Graph, first: Tensor, second: Tensor, place: Tensor) -> Tensor:
        """The pairs that join ``first`` [B] and ``second`` [B], each in both directions."""
        vectors = graph.vectors.detach().to(torch.float64)
        r = length(vectors)
        degree = torch.bincount(graph.centers, minlength=graph.types.shape[0])
        begin = degree.cumsum(0) - degree
        bond, step = expand(degree[first])
        pair = begin[first[bond]] + step
        end = graph.neighbors[pair]
        fits = (place[end] == place[second[bond]]) & (r[pair] < self.longest_bond)
        bond, pair, end = bond[fits], pair[fits], end[fits]
        # atoms of the same copy before all others, near before far
        rank = r[pair] + (end != second[bond]).to(torch.float64) * self.longest_bond
        order = torch.argsort(rank)
        order = order[torch.argsort(bond[order], stable=True)]
        bond, pair = bond[order], pair[order]
        chosen = torch.ones_like(bond, dtype=torch.bool)
        chosen[1:] = bond[1:] != bond[:-1]
        found = pair[chosen]
        if found.shape[0] < first.shape[0]:
            missing = torch.ones_like(first, dtype=torch.bool)
            missing[bond[chosen]] = False
            which = torch.nonzero(missing)[0, 0]
            atoms = [int(place[first[which]]), int(place[second[which]])]
            fail(
                "a bond of the prior's topology is longer than topology.longest_bond",
                f"atoms {atoms[0]} and {atoms[1]}, {self.longest_bond}",
            )
        back = find_pairs(
            graph, graph.neighbors[found], graph.centers[found], -vectors[found], self.tolerance
        )
        pairs: Tensor = torch.unique(torch.cat([found, back]))
        return pairs

    def examples(self) -> List[Atoms]:
        """Each of the molecules with bonds of about half of ``longest_bond``; not a real shape."""
        found = []
        begin = np.cumsum([0, *self.n_atoms.tolist()])
        bonds = self.bonds.cpu().split(self.n_bonds.tolist())
        random = np.random.default_rng(0)
        for i, n in enumerate(self.n_atoms.tolist()):
            types = self.types[begin[i] : begin[i + 1]].tolist()
            at = self.longest_bond * random.uniform(-1, 1, (n, 3)) * n ** (1 / 3)
            first, second = bonds[i].numpy().T
            for _ in range(500):  # pull bonded atoms to that distance
                apart = at[second] - at[first]
                r = np.linalg.norm(apart, axis=1, keepdims=True)
                shift = 0.2 * apart * (1 - 0.5 * self.longest_bond / r)
                np.add.at(at, first, shift)
                np.add.at(at, second, -shift)
            found.append(Atoms([self.atomic_types[t] for t in types], at))
        return found

    def symbols(self, types: Tensor) -> str:
        """Elements of a structure, or their number where it is exported."""
        if torch.jit.is_scripting():
            return str(types.shape[0]) + " atoms"
        else:
            names = [chemical_symbols[self.atomic_types[int(t)]] for t in types[:12]]
            return " ".join(names) + (" …" if types.shape[0] > 12 else "")

    def _load_from_state_dict(self, state_dict: Dict[str, Any], prefix: str, *rest: Any) -> None:
        # a fresh model knows no molecules; the checkpoint decides how many there are
        for name in ("n_atoms", "types", "n_bonds", "bonds"):
            stored = state_dict.get(prefix + name)
            if stored is not None:
                setattr(self, name, torch.empty_like(stored, device=self.types.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def extra_repr(self) -> str:
        return f"molecules={self.n_atoms.tolist()}, longest_bond={self.longest_bond}"


def fail(what: str, which: str) -> None:
    """An error of mtt, or of TorchScript where the model is exported."""
    if not torch.jit.is_scripting():
        raise DataError(f"{what} ({which})", hint="see architecture.model.prior.topology")
    raise RuntimeError(what + " (" + which + ")")

"""A classical force field below the network: bonds, angles, dihedrals and repulsion."""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Self

import torch
from torch import Tensor

from mtt.baselines.prior.build import (
    HINT,
    WHO,
    inverts,
    make_fourier,
    make_harmonic,
    make_repulsion,
    make_topology,
)
from mtt.baselines.prior.geometry import (
    Edges,
    angle,
    angles_of,
    dihedrals_of,
    edges_of,
    find_pairs,
    length,
    torsion,
)
from mtt.baselines.prior.options import name_of, with_defaults
from mtt.baselines.prior.terms import (
    Fourier,
    Harmonic,
    angle_codes,
    bond_codes,
    dihedral_codes,
)
from mtt.baselines.prior.topology import Molecules
from mtt.baselines.unit_factor import factor
from mtt.graph import Graph

if TYPE_CHECKING:
    from ase import Atoms


class Terms(NamedTuple):
    """All bonds, angles or dihedrals that have parameters, each from both ends.

    Angles are listed once; bonds and dihedrals twice, so that each end has half of the energy.
    """

    row: Tensor  # [n] int64, of the parameters
    atom: Tensor  # [n] int64, whose energy it is
    x: Tensor  # [n] float64, length, angle in radians, or cosine of the dihedral angle
    y: Tensor  # [n] float64, sine of the dihedral angle; empty for the others


class Prior(torch.nn.Module):
    """E = Σ ½ k (r - r0)² + Σ ½ k (θ - θ0)² + Σ_n a_n cos nφ + b_n sin nφ + Σ ε (σ/r)^p S(r).

    The sums are over bonds, angles (in radians), dihedral angles and pairs that are not joined
    by ``exclude`` bonds or fewer. Parameters and energies are float64 whatever precision the
    network has, and parameters are of elements: two chemically different carbons share theirs.

    :param hypers: the option ``architecture.model.prior``; missing keys take their defaults.
    :param atomic_types: atomic numbers; ``graph.types`` indexes them.
    :param length_unit: unit of ``graph.vectors``.
    :param energy_unit: unit of the energies.
    :raises ConfigError: options that contradict one another or name foreign elements.
    :raises ArchitectureError: connectivity or inversion without a known unit.
    """

    def __init__(
        self,
        hypers: Dict[str, Any],
        atomic_types: List[int],
        length_unit: str,
        energy_unit: str,
    ) -> None:
        super().__init__()
        hypers = with_defaults(hypers)
        self.hypers = hypers
        self.atomic_types = [int(z) for z in atomic_types]
        self.n_types = len(self.atomic_types)
        self.length_unit = length_unit
        self.energy_unit = energy_unit
        self.topology = make_topology(hypers, self.atomic_types, length_unit)
        self.bonds = make_harmonic("bonds", "r0", hypers, self.atomic_types)
        self.angles = make_harmonic("angles", "theta0", hypers, self.atomic_types)
        self.dihedrals = make_fourier(hypers, self.atomic_types)
        self.repulsion = make_repulsion(hypers, self.atomic_types)
        if inverts(hypers):
            factor(energy_unit, "eV", WHO, HINT)
        self.exclude = 0
        if self.repulsion is not None and self.topology is not None:
            self.exclude = int(hypers["repulsion"]["exclude"])
        longest = 0.0 if self.topology is None else self.topology.longest_bond
        beyond = 0.0 if self.repulsion is None else self.repulsion.cutoff
        self.tolerance = 0.0 if self.topology is None else self.topology.tolerance
        self.cutoff = max(longest, beyond)
        """Longest distance of two atoms that is looked at; radius of the neighbour list."""
        self.reach = max(2 * longest, beyond)
        """How far the energy of an atom sees; chains of bonds go beyond the list's radius."""
        self.requires_grad_(hypers["trainable"])

    # --------------------------------------------------------------------- energies

    def forward(self, graph: Graph) -> Tensor:
        """Energy of every atom [n_atoms] float64; their sum is the energy of the structure."""
        vectors = graph.vectors.to(torch.float64)
        energies = vectors.new_zeros(graph.types.shape[0])
        seen, first, second = vectors, graph.centers, graph.neighbors
        if self.topology is not None:
            edges = edges_of(graph, vectors, self.topology(graph))
            if self.bonds is not None:
                terms = self.bond_terms(graph, edges)
                energies = energies.index_add(0, terms.atom, self.bonds(terms.row, terms.x) / 2)
            if self.angles is not None:
                terms = self.angle_terms(graph, edges)
                energies = energies.index_add(0, terms.atom, self.angles(terms.row, terms.x))
            if self.dihedrals is not None:
                terms = self.dihedral_terms(graph, edges)
                energy = self.dihedrals(terms.row, terms.x, terms.y) / 2
                energies = energies.index_add(0, terms.atom, energy)
            if self.repulsion is not None:
                apart = length(vectors) < self.repulsion.cutoff
                apart[self.joined(graph, edges)] = False
                seen, first, second = vectors[apart], first[apart], second[apart]
        if self.repulsion is not None:
            # pairs beyond its cutoff add zeros: to leave them out, the host would have to wait for
            # their number
            energy = self.repulsion(graph.types[first], graph.types[second], length(seen))
            energies = energies.index_add(0, first, energy / 2)
        return energies

    def bond_terms(self, graph: Graph, edges: Edges) -> Terms:
        """Every bond from both ends."""
        assert self.bonds is not None
        types = graph.types
        row = self.bonds.tuples(bond_codes(types[edges.start], types[edges.end], self.n_types))
        kept = row >= 0
        x = length(edges.vectors[kept])
        return Terms(row[kept], edges.start[kept], x, x[:0])

    def angle_terms(self, graph: Graph, edges: Edges) -> Terms:
        """Every angle, at the atom in its middle."""
        assert self.angles is not None
        one, two = angles_of(edges).unbind(1)
        middle = edges.start[one]
        a, b, c = graph.types[edges.end[one]], graph.types[middle], graph.types[edges.end[two]]
        row = self.angles.tuples(angle_codes(a, b, c, self.n_types))
        kept = row >= 0
        x = angle(edges.vectors[one[kept]], edges.vectors[two[kept]])
        return Terms(row[kept], middle[kept], x, x[:0])

    def dihedral_terms(self, graph: Graph, edges: Edges) -> Terms:
        """Every dihedral angle, at both atoms of its middle bond."""
        assert self.dihedrals is not None
        first, second, third = dihedrals_of(edges, self.tolerance).unbind(1)
        types, b = graph.types, edges.start[second]
        code = dihedral_codes(
            types[edges.end[first]],
            types[b],
            types[edges.end[second]],
            types[edges.end[third]],
            self.n_types,
        )
        row = self.dihedrals.tuples(code)
        kept = row >= 0
        first, second, third = first[kept], second[kept], third[kept]
        v = edges.vectors
        cosine, sine = torsion(-v[first], v[second], v[third])
        return Terms(row[kept], b[kept], cosine, sine)

    def joined(self, graph: Graph, edges: Edges) -> Tensor:
        """Indices of the pairs that are ``exclude`` bonds apart or fewer."""
        if self.exclude < 1:
            return edges.pairs[:0]
        found = [edges.pairs]
        vectors = edges.vectors.detach()
        if self.exclude > 1:
            one, two = angles_of(edges).unbind(1)
            a, c, across = edges.end[one], edges.end[two], vectors[two] - vectors[one]
            found.append(find_pairs(graph, a, c, across, self.tolerance))
            found.append(find_pairs(graph, c, a, -across, self.tolerance))
        if self.exclude > 2:
            one, two, three = dihedrals_of(edges, self.tolerance).unbind(1)
            across = vectors[two] + vectors[three] - vectors[one]
            ends = edges.end[one], edges.end[three]
            found.append(find_pairs(graph, ends[0], ends[1], across, self.tolerance))
        return torch.cat(found)

    # --------------------------------------------------------------------- values

    def values(self) -> Dict[str, Any]:
        """The present parameters, in the form of the options; tuples without any are left out."""
        found: Dict[str, Any] = {}
        for term, key in (("bonds", "r0"), ("angles", "theta0")):
            part = getattr(self, term)
            if part is not None:
                k, x = part.log_k.detach().exp().tolist(), part.minimum.tolist()
                found[term] = {
                    name: {"k": k[i], key: x[i]}
                    for i, name in enumerate(part.tuples.names)
                    if part.tuples.known[i]
                }
        if self.dihedrals is not None:
            part, n = self.dihedrals, self.dihedrals.order
            found["dihedrals"] = {
                name: {"cos": row[:n], **({"sin": row[n:]} if part.chiral else {})}
                for name, row, known in zip(
                    part.tuples.names, part.coefficients.tolist(), part.tuples.known, strict=True
                )
                if known
            }
        if self.repulsion is not None:
            names = [name_of([z]) for z in self.atomic_types]
            epsilon = self.repulsion.log_epsilon.detach().exp().tolist()
            found["repulsion"] = {"epsilon": dict(zip(names, epsilon, strict=True))}
        return found

    def examples(self) -> "List[Atoms]":
        """Structures to try a model on, where any others might be refused; none if none are."""
        return self.topology.examples() if isinstance(self.topology, Molecules) else []

    @torch.no_grad()
    def take(self, source: "Prior") -> None:
        """The parameters and molecules of ``source``, which may know fewer elements."""
        for mine, theirs in zip(self._terms(), source._terms(), strict=True):
            if mine is None or theirs is None:
                continue
            rows = {name: i for i, name in enumerate(theirs.tuples.names)}
            there = dict(theirs.named_parameters())
            for i, name in enumerate(mine.tuples.names):
                if name in rows:
                    mine.tuples.known[i] = theirs.tuples.known[rows[name]]
                    for key, values in mine.named_parameters():
                        values[i] = there[key][rows[name]]
        if self.repulsion is not None and source.repulsion is not None:
            for i, z in enumerate(source.atomic_types):
                known = source.repulsion.log_epsilon[i]
                self.repulsion.log_epsilon[self.atomic_types.index(z)] = known
        if isinstance(self.topology, Molecules) and isinstance(source.topology, Molecules):
            self.topology.take(source.topology)

    def _terms(self) -> "List[Harmonic | Fourier | None]":
        return [self.bonds, self.angles, self.dihedrals]

    def extra_repr(self) -> str:
        return f"{self.atomic_types}, exclude={self.exclude}, cutoff={self.cutoff:.4g}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # follows the module's device, never its dtype
        def exact(tensor: Tensor) -> Tensor:
            return tensor.to(fn(tensor).device)

        super()._apply(exact, recurse)
        return self

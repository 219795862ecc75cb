"""The screened repulsion of two nuclei at short distance, by Ziegler, Biersack and Littmark."""

from typing import List

import torch
from ase.data import covalent_radii
from torch import Tensor

from mtt.baselines.exact import ExactTable
from mtt.baselines.unit_factor import factor
from mtt.errors import ArchitectureError
from mtt.graph import Graph

# LAMMPS, pair_style zbl; Ziegler, Biersack, Littmark, "The Stopping and Range of Ions in
# Matter" (1985)
COULOMB = 14.399645478425668  # e² / (4 π ε0) in eV Å (CODATA 2018)
SCREENING_LENGTH = 0.46850  # Å
SCREENING_POWER = 0.23
SCREENING_WEIGHTS = (0.02817, 0.28022, 0.50986, 0.18175)
SCREENING_RATES = (0.20162, 0.40290, 0.94229, 3.19980)

_WHO, _HINT = "the ZBL repulsion", "write it in the options, or set zbl: false"


class ZBL(torch.nn.Module):
    """E_ij = k Z_i Z_j / r φ(r / a) + S(r) within r_c, zero beyond; no parameters to learn.

    φ is the universal screening function, a = 0.4685 Å / (Z_i^0.23 + Z_j^0.23), r_c the sum
    of the covalent radii (ASE's table). S(r) = A r³ / 3 + B r⁴ / 4 + C lets value, first and
    second derivative vanish at r_c: LAMMPS' pair_style zbl with inner cutoff 0.

    :param atomic_types: atomic numbers; ``graph.types`` indexes them.
    :param length_unit: unit of ``graph.vectors``, in any spelling that metatomic knows.
    :param energy_unit: unit of the energies.
    :raises ArchitectureError: a unit is missing or unknown, or an element has no known
        covalent radius.
    """

    def __init__(self, atomic_types: List[int], length_unit: str, energy_unit: str) -> None:
        super().__init__()
        self.atomic_types = [int(z) for z in atomic_types]
        self.length_unit = length_unit
        self.energy_unit = energy_unit
        self.length = factor(length_unit, "angstrom", _WHO, _HINT)
        self.energy = 1 / factor(energy_unit, "eV", _WHO, _HINT)
        radii = torch.tensor([_radius(z) for z in self.atomic_types], dtype=torch.float64)
        self.cutoff = 2 * float(radii.max()) / self.length
        """Longest distance at which atoms repel each other, in ``length_unit``."""
        self.n_types = len(self.atomic_types)
        self.weights: List[float] = list(SCREENING_WEIGHTS)
        self.rates: List[float] = list(SCREENING_RATES)
        self.pairs = ExactTable(_pair_table(self.atomic_types, radii))

    def forward(self, graph: Graph) -> Tensor:
        """Energy of every atom [n_atoms] float64, half of that of each of its pairs."""
        r = torch.linalg.vector_norm(graph.vectors.to(torch.float64), dim=1) * self.length
        pair_type = graph.types[graph.centers] * self.n_types + graph.types[graph.neighbors]
        strength, inverse_a, cutoff, a, b, c = self.pairs(pair_type).unbind(1)
        screening = torch.zeros_like(r)
        for k in range(len(self.weights)):
            screening = screening + self.weights[k] * torch.exp(-self.rates[k] * inverse_a * r)
        energy = strength / r * screening
        energy = energy + r**3 * (a / 3 + r * b / 4) + c
        energy = torch.where(r < cutoff, energy, torch.zeros_like(energy))
        zeros = energy.new_zeros(graph.types.shape[0])
        return zeros.index_add(0, graph.centers, energy) * (self.energy / 2)

    def extra_repr(self) -> str:
        units = f"{self.length_unit!r}, {self.energy_unit!r}"
        return f"{self.atomic_types}, {units}, cutoff={self.cutoff:.4g}"


def _pair_table(atomic_types: List[int], radii: Tensor) -> Tensor:
    """k Z Z', 1/a, r_c and A, B, C of every ordered pair of elements, [n_types², 6]."""
    z = torch.tensor(atomic_types, dtype=torch.float64)
    strength = COULOMB * z[:, None] * z
    powers = z**SCREENING_POWER
    inverse_a = (powers[:, None] + powers) / SCREENING_LENGTH
    cutoff = radii[:, None] + radii
    # E = strength φ / r and its derivatives at the cutoff
    terms = [
        (weight * torch.exp(-rate * inverse_a * cutoff), rate * inverse_a)
        for weight, rate in zip(SCREENING_WEIGHTS, SCREENING_RATES, strict=True)
    ]
    phi = sum(value for value, _ in terms)
    slope = -sum(value * rate for value, rate in terms)
    bend = sum(value * rate**2 for value, rate in terms)
    e0 = strength / cutoff * phi
    e1 = strength / cutoff * (slope - phi / cutoff)
    e2 = strength / cutoff * (bend - 2 * slope / cutoff + 2 * phi / cutoff**2)
    a = (-3 * e1 + cutoff * e2) / cutoff**2
    b = (2 * e1 - cutoff * e2) / cutoff**3
    c = -e0 + cutoff * e1 / 2 - cutoff**2 * e2 / 12
    return torch.stack([strength, inverse_a, cutoff, a, b, c], dim=-1).flatten(0, 1)


def _radius(z: int) -> float:
    """Covalent radius in Å; beyond curium ASE tabulates a round 2 Å."""
    if not 0 < z < len(covalent_radii):
        raise ArchitectureError(
            f"{_WHO} knows no covalent radius of atomic number {z}",
            hint="set zbl: false",
        )
    return float(covalent_radii[z])

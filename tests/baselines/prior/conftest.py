"""Real structures, and the prior's energy by plain loops in numpy."""

from itertools import combinations, permutations

import ase.build
import numpy as np
import pytest
from ase.data import covalent_radii

TYPES = [1, 6, 8]
HYPERS = {
    "topology": {"from": "connectivity"},
    "bonds": {
        "C-C": {"k": 20.0, "r0": 1.45},
        "H-C": {"k": 21.0, "r0": 1.05},
        "O-H": {"k": 30.0, "r0": 1.0},
        "C-O": {"k": 25.0, "r0": 1.4},
    },
    "angles": {"H-C-H": {"k": 2.0, "theta0": 1.8}, "O-C-C": {"k": 3.0, "theta0": 1.9}},
    "dihedrals": {"O-C-C-H": {"cos": [0.1, -0.2, 0.3]}, "C-C-O-H": {"cos": [0.25, 0.05]}},
    "repulsion": {
        "sigma": {"H": 1.8, "C": 2.4, "O": 2.1},
        "epsilon": {"H": 0.1, "C": 0.2, "O": 0.3},
        "cutoff": 4.0,
        "onset": 2.5,
        "power": 6,
    },
}


def reference_energy(atoms, hypers=HYPERS):
    """Energy in eV of a molecule without a cell; bonds by covalent radii."""
    n, distances = len(atoms), atoms.get_all_distances()
    radii = covalent_radii[atoms.numbers]
    bonded = (distances < 1.25 * (radii[:, None] + radii)) & ~np.eye(n, dtype=bool)
    joined, energy = bonded.copy(), 0.0

    def values(term, *indices):
        names = [atoms.symbols[i] for i in indices]
        section = hypers.get(term) or {}
        return section.get("-".join(names)) or section.get("-".join(names[::-1]))

    for i, j in combinations(range(n), 2):
        if bonded[i, j] and (v := values("bonds", i, j)):
            energy += v["k"] / 2 * (distances[i, j] - v["r0"]) ** 2
    for i, j, k in permutations(range(n), 3):
        if i < k and bonded[i, j] and bonded[j, k]:
            joined[i, k] = joined[k, i] = True
            if v := values("angles", i, j, k):
                theta = np.radians(atoms.get_angle(i, j, k))
                energy += v["k"] / 2 * (theta - v["theta0"]) ** 2
    for i, j, k, m in permutations(range(n), 4):
        if i < m and bonded[i, j] and bonded[j, k] and bonded[k, m]:
            joined[i, m] = joined[m, i] = True
            if v := values("dihedrals", i, j, k, m):
                phi = np.radians(atoms.get_dihedral(i, j, k, m))
                energy += sum(a * np.cos((n + 1) * phi) for n, a in enumerate(v["cos"]))
                energy += sum(b * np.sin((n + 1) * phi) for n, b in enumerate(v.get("sin", [])))
    if v := hypers.get("repulsion"):
        rc, on = v["cutoff"], v["onset"]
        for i, j in combinations(range(n), 2):
            r, a, b = distances[i, j], atoms.symbols[i], atoms.symbols[j]
            if joined[i, j] or r >= rc:
                continue
            sigma = (v["sigma"][a] + v["sigma"][b]) / 2
            epsilon = np.sqrt(v["epsilon"][a] * v["epsilon"][b])
            switch = (rc**2 - r**2) ** 2 * (rc**2 + 2 * r**2 - 3 * on**2) / (rc**2 - on**2) ** 3
            energy += epsilon * (sigma / r) ** v["power"] * (1.0 if r < on else switch)
    return energy


@pytest.fixture(scope="session")
def make_graph(make_graph):
    """The graph of some ``ase.Atoms`` of the prior's elements."""
    return lambda structures, cutoff: make_graph(structures, TYPES, cutoff)


@pytest.fixture(scope="session")
def reference():
    return reference_energy


@pytest.fixture
def hypers():
    """Every term of the prior, for molecules of H, C and O."""
    return {**HYPERS}


@pytest.fixture
def ethanol():
    atoms = ase.build.molecule("CH3CH2OH")
    atoms.rattle(0.05, seed=3)
    return atoms


@pytest.fixture
def butane():
    """Long enough for pairs that are five bonds apart."""
    atoms = ase.build.molecule("trans-butane")
    atoms.rattle(0.05, seed=4)
    return atoms

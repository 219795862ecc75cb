"""The nuclear repulsion against a numpy reference and the published universal potential."""

import copy

import numpy as np
import pytest
import torch
from ase.data import covalent_radii

from mtt import Graph
from mtt.baselines.zbl import ZBL
from mtt.errors import ArchitectureError

TYPES = [1, 6, 8]
RNG = np.random.default_rng(7)


def reference(z1: int, z2: int, r: np.ndarray) -> np.ndarray:
    """eV of one pair at r Å: the formulas of LAMMPS' pair_style zbl, inner cutoff 0."""
    c, d = (
        np.array([0.02817, 0.28022, 0.50986, 0.18175]),
        np.array([0.20162, 0.4029, 0.94229, 3.1998]),
    )
    a = 0.4685 / (z1**0.23 + z2**0.23)
    k = 14.399645478425668 * z1 * z2

    def energy(x, order):
        terms = np.exp(-np.multiply.outer(x, d) / a) * c
        phi, dphi, ddphi = (terms @ (-d / a) ** n for n in range(3))
        return [
            k / x * phi,
            k * (dphi / x - phi / x**2),
            k * (ddphi / x - 2 * dphi / x**2 + 2 * phi / x**3),
        ][order]

    rc = covalent_radii[z1] + covalent_radii[z2]
    e0, e1, e2 = (energy(rc, n) for n in range(3))
    slope, bend = (-3 * e1 + rc * e2) / rc**2, (2 * e1 - rc * e2) / rc**3
    shift = -e0 + rc * e1 / 2 - rc**2 * e2 / 12
    return np.where(r < rc, energy(r, 0) + slope / 3 * r**3 + bend / 4 * r**4 + shift, 0.0)


def dimers(z1: int, z2: int, distances, dtype=torch.float64) -> Graph:
    """One structure of two atoms for every distance, along random directions."""
    distances = torch.as_tensor(np.atleast_1d(distances), dtype=dtype)
    n = len(distances)
    directions = torch.from_numpy(RNG.normal(size=(n, 3))).to(dtype)
    directions = directions / directions.norm(dim=1, keepdim=True)
    vectors = directions * distances[:, None]
    first = torch.arange(n) * 2
    return Graph(
        types=torch.tensor([TYPES.index(z1), TYPES.index(z2)]).repeat(n),
        system=torch.arange(n).repeat_interleave(2),
        n_systems=n,
        centers=torch.stack([first, first + 1], 1).flatten(),
        neighbors=torch.stack([first + 1, first], 1).flatten(),
        vectors=torch.stack([vectors, -vectors], 1).flatten(0, 1),
        positions=torch.zeros(2 * n, 3, dtype=dtype),
        cells=torch.zeros(n, 3, 3, dtype=dtype),
    )


@pytest.mark.parametrize(("z1", "z2"), [(1, 1), (1, 6), (6, 8), (8, 1)])
def test_energy_of_a_dimer_is_that_of_the_reference(z1, z2):
    r = np.linspace(0.05, 2.0, 60)
    atomic = ZBL(TYPES, "angstrom", "eV")(dimers(z1, z2, r))
    np.testing.assert_allclose(
        atomic.reshape(-1, 2).sum(1), reference(z1, z2, r), rtol=1e-12, atol=1e-12
    )


def test_both_atoms_of_a_pair_get_half_of_its_energy():
    atomic = ZBL(TYPES, "angstrom", "eV")(dimers(6, 8, [0.7]))
    assert atomic.dtype == torch.float64
    torch.testing.assert_close(atomic[0], atomic[1], rtol=0, atol=0)


def test_close_nuclei_repel_like_bare_charges():
    # φ(x) → 1 - x Σ weight rate: at 1e-6 Å the screening takes 1e-5 of Coulomb's law
    energy = float(ZBL(TYPES, "angstrom", "eV")(dimers(6, 8, [1e-6])).sum())
    assert energy == pytest.approx(14.399645 * 48 / 1e-6, rel=2e-5)


def test_value_and_two_derivatives_vanish_at_the_sum_of_covalent_radii():
    rc = covalent_radii[6] + covalent_radii[8]
    model = ZBL(TYPES, "angstrom", "eV")
    gap = np.array([1e-2, 1e-3])
    near = model(dimers(6, 8, rc - gap)).reshape(2, 2).sum(1)
    # the first term that is left is cubic
    assert float(near[0] / near[1]) == pytest.approx(1000, rel=0.1)
    assert torch.all(model(dimers(6, 8, [rc, rc + 0.1])) == 0)


def test_forces_are_the_derivative_of_the_energy():
    graph = dimers(1, 8, [0.3, 0.6, 0.9])
    model = ZBL(TYPES, "angstrom", "eV")
    assert torch.autograd.gradcheck(
        lambda v: model(graph._replace(vectors=v)), graph.vectors.requires_grad_(True)
    )


@pytest.mark.parametrize("unit", ["angstrom", "Angstrom", "A", "Å", "\u212b"])
def test_angstrom_may_be_spelt_in_any_way(unit):
    graph = dimers(6, 8, [0.5])
    expected = ZBL(TYPES, "angstrom", "eV")(graph)
    torch.testing.assert_close(ZBL(TYPES, unit, "eV")(graph), expected, rtol=0, atol=0)


def test_other_units_describe_the_same_physics():
    bohr, hartree = 0.529177210544, 27.211386245981
    metal, atomic = ZBL(TYPES, "angstrom", "eV"), ZBL(TYPES, "bohr", "hartree")
    graph = dimers(6, 8, [0.4, 0.8])
    scaled = graph._replace(vectors=graph.vectors / bohr)
    torch.testing.assert_close(atomic(scaled) * hartree, metal(graph), rtol=1e-8, atol=1e-10)
    assert atomic.cutoff * bohr == pytest.approx(metal.cutoff, rel=1e-8)
    torch.testing.assert_close(ZBL(TYPES, "A", "meV")(graph), metal(graph) * 1000)


def test_the_cutoff_reaches_the_largest_pair():
    assert ZBL(TYPES, "angstrom", "eV").cutoff == pytest.approx(2 * covalent_radii[6])


def test_no_pairs_give_zero():
    graph = dimers(1, 1, [1.0])._replace(
        centers=torch.zeros(0, dtype=torch.long),
        neighbors=torch.zeros(0, dtype=torch.long),
        vectors=torch.zeros(0, 3, dtype=torch.float64),
    )
    assert torch.equal(ZBL(TYPES, "angstrom", "eV")(graph), torch.zeros(2, dtype=torch.float64))


def test_energies_stay_exact_in_a_float32_model():
    model = ZBL(TYPES, "angstrom", "eV")
    graph = dimers(6, 8, [0.5])
    expected = model(graph)
    assert torch.equal(copy.deepcopy(model).to(torch.float32)(graph), expected)


def test_torchscript_gives_the_same():
    model = ZBL(TYPES, "angstrom", "eV")
    graph = dimers(6, 8, np.linspace(0.3, 1.8, 7))
    torch.testing.assert_close(torch.jit.script(model)(graph), model(graph), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("length", "energy", "message"),
    [
        ("", "eV", "needs the length_unit, and none is given; write it in the options"),
        ("angstrom", "", "needs the unit of the energy, and none is given"),
        ("parsec", "eV", "cannot convert the length_unit 'parsec' to angstrom"),
        ("eV", "eV", "cannot convert the length_unit 'eV' to angstrom"),
        ("angstrom", "angstrom", "cannot convert the unit of the energy 'angstrom' to eV"),
    ],
)
def test_units_that_do_not_fit_are_refused(length, energy, message):
    with pytest.raises(ArchitectureError, match=message):
        ZBL(TYPES, length, energy)


def test_an_element_without_a_covalent_radius_is_refused():
    with pytest.raises(ArchitectureError, match="no covalent radius of atomic number 119"):
        ZBL([1, 119], "angstrom", "eV")

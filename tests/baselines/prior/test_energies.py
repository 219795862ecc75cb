"""The terms of the prior against closed forms and plain loops."""

import copy
import math

import ase.build
import numpy as np
import pytest
import torch
from ase import Atoms

from mtt.baselines.prior import Prior

TYPES = [1, 6, 8]


@pytest.fixture
def energy(make_graph):
    """Energies in eV of structures, one number each."""

    def evaluate(hypers, *structures):
        prior = Prior(hypers, TYPES, "angstrom", "eV")
        graph = make_graph(structures, prior.cutoff)
        zeros = torch.zeros(len(structures), dtype=torch.float64)
        return zeros.index_add(0, graph.system, prior(graph)).detach()

    return evaluate


def only(hypers, *terms):
    return {key: hypers[key] for key in ("topology", *terms)}


@pytest.mark.parametrize(
    "terms",
    [
        ("bonds",),
        ("angles",),
        ("dihedrals",),
        ("repulsion",),
        ("bonds", "angles", "dihedrals", "repulsion"),
    ],
)
def test_every_term_is_what_plain_loops_give(terms, hypers, energy, reference, ethanol, butane):
    ring = ase.build.molecule("C3H4_C2v")  # cyclopropene: rings of three atoms have no dihedral
    ring.rattle(0.05, seed=1)
    chosen = only(hypers, *terms)
    found = energy(chosen, ethanol, butane, ring)
    expected = [reference(one, chosen) for one in (ethanol, butane, ring)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert abs(expected[0]) > 1e-3


def test_bond_has_its_closed_form(energy, hypers):
    dimer = Atoms("CH", [[0, 0, 0], [0.3, 0.4, 1.2]])  # 1.3 Å
    bond = {"topology": hypers["topology"], "bonds": {"C-H": {"k": 20.0, "r0": 1.1}}}
    assert float(energy(bond, dimer)) == pytest.approx(20.0 / 2 * 0.2**2, rel=1e-12)


@pytest.mark.parametrize("theta", [0.9, 1.9, 3.0])
def test_angle_has_its_closed_form_in_radians(theta, energy, hypers):
    at = [[0, 0, 0], [0.96, 0, 0], [0.96 * math.cos(theta), 0.96 * math.sin(theta), 0]]
    topology = {"from": "molecules", "molecules": [{"elements": "O H H", "bonds": "0-1 0-2"}]}
    angle = {"topology": topology, "angles": {"H-O-H": {"k": 4.0, "theta0": 1.8}}}
    assert float(energy(angle, Atoms("OHH", at))) == pytest.approx(
        4.0 / 2 * (theta - 1.8) ** 2, rel=1e-12
    )


@pytest.mark.parametrize("phi", [0.0, 0.7, -2.0, math.pi])
def test_dihedral_has_its_closed_form_and_sign(phi, energy, hypers):
    # looking along the middle bond, the last bond is turned by φ from the first, clockwise
    at = [[1.0, 0, -0.3], [0, 0, 0], [0, 0, 1.4], [math.cos(phi), math.sin(phi), 1.7]]
    series = {"cos": [0.3, 0.2, 0.1, 0.05], "sin": [0.4, -0.3]}
    chain = {
        "topology": {"from": "connectivity"},
        "dihedrals": {"H-O-O-H": series},
        "dihedral_order": 4,
        "chiral": True,
    }
    n = np.arange(1, 5)
    expected = np.cos(n * phi) @ series["cos"] + np.sin(n[:2] * phi) @ series["sin"]
    molecule = Atoms("HOOH", at)
    assert math.radians(molecule.get_dihedral(0, 1, 2, 3)) % (2 * math.pi) == pytest.approx(
        phi % (2 * math.pi)
    )
    assert float(energy(chain, molecule)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("power", [4, 12])
def test_repulsion_has_its_closed_form_and_its_smooth_end(power, energy):
    sigma, epsilon = {"H": 1.0, "C": 2.0, "O": 3.0}, {"H": 0.1, "C": 0.4, "O": 0.9}
    option = {"sigma": sigma, "epsilon": epsilon, "cutoff": 5.0, "onset": 3.0, "power": power}
    at = [2.0, 2.999999, 4.0, 4.999999, 5.000001]
    found = energy({"repulsion": option}, *(Atoms("CO", [[0, 0, 0], [0, 0, r]]) for r in at))
    plain = 0.6 * (2.5 / np.array(at)) ** power  # Lorentz-Berthelot: √(0.4 · 0.9), (2 + 3) / 2
    switch = (25 - 16) ** 2 * (25 + 32 - 27) / (25 - 9) ** 3
    np.testing.assert_allclose(found[:3], plain[:3] * [1, 1, switch], rtol=1e-11)
    assert 0 < float(found[3]) < 1e-9
    assert float(found[4]) == 0.0


@pytest.mark.parametrize("exclude", [0, 1, 2, 3])
def test_pairs_joined_by_a_bond_an_angle_or_a_dihedral_do_not_repel(exclude, energy):
    chain = Atoms("C5", [[1.2 * i, 0.3 * (i % 2), 0] for i in range(5)])
    option = {"sigma": 2.0, "epsilon": 1.0, "cutoff": 8.0, "onset": 7.0, "exclude": exclude}
    found = float(energy({"topology": {"from": "connectivity"}, "repulsion": option}, chain))
    expected = sum(
        (2.0 / chain.get_distance(i, j)) ** 12
        for i in range(5)
        for j in range(i)
        if i - j > exclude
    )
    assert found == pytest.approx(expected, rel=1e-10)


def test_in_a_small_cell_the_image_that_is_joined_is_excluded_and_others_are_not(energy):
    # a chain of atoms 1.4 Å apart along z, two in the cell: each has bonds to images of the other
    cell = Atoms("CC", [[0, 0, 0], [0, 0, 1.4]], cell=[20, 20, 2.8], pbc=True)
    option = {"sigma": 2.0, "epsilon": 1.0, "cutoff": 9.0, "onset": 8.0}
    found = float(energy({"topology": {"from": "connectivity"}, "repulsion": option}, cell))
    r = 1.4 * np.arange(4, 6)  # neighbours 4 and 5 of the chain, to both sides
    expected = 2 / 2 * 2 * ((2.0 / r) ** 12).sum() + tail(9.0, 8.0, 8.4)
    assert found == pytest.approx(expected, rel=1e-9)


def tail(rc, on, r):
    switch = (rc**2 - r**2) ** 2 * (rc**2 + 2 * r**2 - 3 * on**2) / (rc**2 - on**2) ** 3
    return 2 * (2.0 / r) ** 12 * switch


def test_tuples_without_parameters_have_no_energy(energy, hypers, ethanol):
    only_oh = {"topology": hypers["topology"], "bonds": {"O-H": {"k": 30.0, "r0": 1.0}}}
    r = ethanol.get_distance(2, 3)
    assert float(energy(only_oh, ethanol)) == pytest.approx(15.0 * (r - 1.0) ** 2, rel=1e-10)


def test_mirror_images_have_the_same_energy_unless_chiral(energy, hypers, ethanol):
    mirrored = ethanol.copy()
    mirrored.positions[:, 0] *= -1
    plain = energy(hypers, ethanol, mirrored)
    assert float(plain[0]) == pytest.approx(float(plain[1]), rel=1e-12)
    chiral = {**hypers, "chiral": True, "dihedrals": copy.deepcopy(hypers["dihedrals"])}
    chiral["dihedrals"]["C-C-O-H"]["sin"] = [0.5]
    left, right = energy(chiral, ethanol, mirrored).tolist()
    assert abs(left - right) > 1e-3


def test_energies_of_atoms_sum_to_the_total_and_a_batch_is_its_structures(
    energy, hypers, ethanol, butane
):
    together = energy(hypers, ethanol, butane)
    apart = torch.cat([energy(hypers, ethanol), energy(hypers, butane)])
    torch.testing.assert_close(together, apart, rtol=1e-12, atol=1e-13)


def test_the_order_of_the_atoms_changes_nothing(energy, hypers, ethanol):
    order = np.random.default_rng(1).permutation(len(ethanol))
    both = energy(hypers, ethanol, ethanol[order])
    assert float(both[0]) == pytest.approx(float(both[1]), rel=1e-12)


@pytest.mark.parametrize("source", ["connectivity", "molecules"])
def test_a_supercell_has_eight_times_the_energy(source, energy, hypers, ethanol):
    """Also where bonds cross the boundary of the cell."""
    ethanol.set_cell([[6.0, 0, 0], [0.5, 5.5, 0], [0, 0.4, 5.8]])
    ethanol.pbc = True
    whole = ethanol.copy()
    ethanol.positions += [2.9, 1.0, 2.0]
    ethanol.wrap()
    assert ethanol.get_all_distances().max() > whole.get_all_distances().max() + 1  # it is cut
    if source == "molecules":
        bonds = "0-1 1-2 2-3 1-4 1-5 0-6 0-7 0-8"
        molecules = [{"elements": " ".join(ethanol.symbols), "bonds": bonds}]
        hypers["topology"] = {"from": source, "molecules": molecules, "longest_bond": 2.0}
    uncut, one, eight = energy(hypers, whole, ethanol, ethanol * (2, 2, 2)).tolist()
    assert one == pytest.approx(uncut, rel=1e-11)
    assert eight == pytest.approx(8 * one, rel=1e-11)


def test_isolated_atoms_and_no_atoms_have_no_energy(energy, hypers):
    assert energy(hypers, Atoms("C"), Atoms("O")).tolist() == [0.0, 0.0]


def test_units_of_length_and_energy_are_those_of_the_data(make_graph, ethanol):
    """Connectivity in bohr finds the same bonds as in Å."""
    bohr = 0.529177210544
    option = {"topology": {"from": "connectivity"}, "bonds": {"C-H": {"k": 2.0, "r0": 2.0}}}
    prior = Prior(option, TYPES, "bohr", "Hartree")
    large = ethanol.copy()
    large.positions /= bohr
    graph = make_graph([large], prior.cutoff)
    lengths = [large.get_distance(i, j) for i, j in ((1, 4), (1, 5), (0, 6), (0, 7), (0, 8))]
    expected = sum((r - 2.0) ** 2 for r in lengths)
    assert prior(graph).detach().sum().item() == pytest.approx(expected, rel=1e-9)

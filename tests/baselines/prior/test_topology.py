"""Which atoms are bonded, by distance, by lists, and by the training set."""

import ase.build
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mtt import Dataset
from mtt.baselines.prior import Prior, start_values
from mtt.errors import ConfigError, DataError

TYPES = [1, 6, 8]
WATER = {"elements": "O H H", "bonds": "0-1 0-2"}
OH = {"O-H": {"k": 2.0, "r0": 0.0}}


def listed(*molecules, longest=2.0, **terms):
    topology = {"from": "molecules", "molecules": list(molecules), "longest_bond": longest}
    return Prior({"topology": topology, **(terms or {"bonds": OH})}, TYPES, "angstrom", "eV")


def dataset_of(*structures):
    for atoms in structures:
        atoms.calc = SinglePointCalculator(atoms, energy=0.0)
    return Dataset.from_atoms(structures, {"energy": {"unit": "eV", "forces": False}})


def waters(n, cell=None):
    """``n`` molecules in a row, 1.9 Å from the O of one to an H of the next."""
    one = ase.build.molecule("H2O")
    box = Atoms(cell=cell, pbc=cell is not None)
    for i in range(n):
        moved = one.copy()
        moved.positions += [2.4 * i, 0, 0]
        box += moved
    return box


def total(prior, graph):
    return prior(graph).detach().sum().item()


def test_a_structure_may_be_a_molecule_several_times(make_graph):
    prior = listed(WATER)
    one, four = waters(1), waters(4)
    expected = one.get_distance(0, 1) ** 2 + one.get_distance(0, 2) ** 2
    assert total(prior, make_graph([one], prior.cutoff)) == pytest.approx(expected)
    assert total(prior, make_graph([four, one], prior.cutoff)) == pytest.approx(5 * expected)


def test_bonds_stay_bonds_however_long_up_to_the_limit(make_graph):
    """A list does not change with the geometry, as connectivity does."""
    stretched = Atoms("OHH", [[0, 0, 0], [1.9, 0, 0], [0, 1.0, 0]])
    prior = listed(WATER)
    graph = make_graph([stretched], prior.cutoff)
    assert total(prior, graph) == pytest.approx(1.9**2 + 1.0)
    nearby = Prior({"topology": {"from": "connectivity"}, "bonds": OH}, TYPES, "angstrom", "eV")
    assert total(nearby, graph) == pytest.approx(1.0)


def test_a_bond_beyond_the_limit_is_an_error(make_graph):
    prior = listed(WATER)
    graph = make_graph([Atoms("OHH", [[0, 0, 0], [2.1, 0, 0], [0, 1.0, 0]])], 3.0)
    with pytest.raises(DataError, match=r"longer than topology.longest_bond \(atoms 0 and 1, 2"):
        prior(graph)
    with pytest.raises(torch.jit.Error, match=r"longer than topology.longest_bond"):
        torch.jit.script(prior)(graph)


@pytest.mark.parametrize("symbols", ["HOH", "CO", "OHHO"])
def test_a_structure_of_no_listed_molecule_is_an_error(symbols, make_graph):
    """The order of the atoms matters."""
    prior = listed(WATER)
    graph = make_graph([Atoms(symbols, np.arange(3 * len(symbols)).reshape(-1, 3) * 0.4)], 3.0)
    with pytest.raises(DataError, match="lists no molecule of these elements in this order"):
        prior(graph)


def test_the_largest_molecule_that_fits_is_taken(make_graph):
    dimer = {"elements": "O H H O H H", "bonds": "0-1 0-2 3-4 3-5 2-3"}
    prior = listed(WATER, dimer, longest=3.5)
    two = waters(2)
    graph = make_graph([two], prior.cutoff)
    pairs = prior.topology(graph)
    found = {(int(graph.centers[p]), int(graph.neighbors[p])) for p in pairs}
    bonds = [(0, 1), (0, 2), (3, 4), (3, 5), (2, 3)]
    assert found == {*bonds, *((j, i) for i, j in bonds)}


def test_bonds_are_learnt_once_from_the_training_set(make_graph):
    option = {"topology": {"from": "data"}, "bonds": OH}
    prior = Prior(option, TYPES, "angstrom", "eV")
    structures = [waters(1), waters(2), ase.build.molecule("CH3OH")]
    start_values(prior, dataset_of(*structures))
    assert prior.topology.n_atoms.tolist() == [6, 6, 3]
    # hotter than any bond by distance
    stretched = Atoms("OHH", [[0, 0, 0], [1.7, 0, 0], [0, 1.0, 0]])
    graph = make_graph([stretched], prior.cutoff)
    assert total(prior, graph) == pytest.approx(1.7**2 + 1.0)
    again = Prior(option, TYPES, "angstrom", "eV")
    again.load_state_dict(prior.state_dict())
    assert total(again, graph) == total(prior, graph)
    assert total(torch.jit.script(again), graph) == total(prior, graph)


def test_cells_too_small_for_a_list_are_refused():
    prior = Prior({"topology": {"from": "data"}, "bonds": {"C-C": {"k": 1.0, "r0": 1.4}}},
                  TYPES, "angstrom", "eV")  # fmt: skip
    with pytest.raises(DataError, match=r"bonded to several images .*connectivity"):
        start_values(prior, dataset_of(ase.build.bulk("C", "diamond", a=3.57)))


@pytest.mark.parametrize(
    ("molecules", "message"),
    [
        ([{"elements": "O H H", "bonds": "0-1 0-3"}], "'0-3' is not a bond; two atoms from 0 to 2"),
        ([{"elements": "O H X", "bonds": "0-1"}], "'X' is not an element of the model"),
        ([WATER, {"elements": "O H H", "bonds": "0-1"}], "the same elements as another molecule"),
    ],
)
def test_wrong_molecules_are_refused(molecules, message):
    with pytest.raises(ConfigError, match=message):
        listed(*molecules)

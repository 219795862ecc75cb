"""Start values: from the options, or by Boltzmann inversion of the training set."""

import logging
import math

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import kB

from mtt import Dataset
from mtt.baselines.prior import Prior, start_values
from mtt.errors import ArchitectureError, ConfigError

TYPES = [1, 6, 8]
N = 4000
KT = 300 * kB


def dataset_of(structures):
    for atoms in structures:
        atoms.calc = SinglePointCalculator(atoms, energy=0.0)
    return Dataset.from_atoms(structures, {"energy": {"unit": "eV", "forces": False}})


def prior_of(unit="eV", **terms):
    option = {"topology": {"from": "connectivity", "factor": 1.6}, "temperature": 300.0, **terms}
    return Prior(option, TYPES, "angstrom", unit)


@pytest.fixture(scope="module")
def water():
    """Water whose bonds and angles follow harmonic energies at 300 K: k = 25 and 4."""
    rng = np.random.default_rng(0)
    r = 0.97 + math.sqrt(KT / 25.0) * rng.normal(size=(N, 2))
    theta = 1.85 + math.sqrt(KT / 4.0) * rng.normal(size=N)
    zero = np.zeros(N)
    first = np.stack([r[:, 0], zero, zero], axis=1)
    second = r[:, 1:] * np.stack([np.cos(theta), np.sin(theta), zero], axis=1)
    at = np.stack([np.zeros((N, 3)), first, second], axis=1)
    return dataset_of([Atoms("OHH", one) for one in at]), r, theta


def test_inversion_gives_back_the_force_constants_of_sampled_data_within_three_sigma(water):
    dataset, r, theta = water
    prior = prior_of(bonds={"O-H": "invert"}, angles="invert")
    start_values(prior, dataset)
    bond, angle = prior.values()["bonds"]["O-H"], prior.values()["angles"]["H-O-H"]
    # a variance of n samples is known to √(2/n), a mean to √(variance/n)
    assert abs(bond["k"] / 25.0 - 1) < 3 * math.sqrt(2 / (2 * N))
    assert abs(angle["k"] / 4.0 - 1) < 3 * math.sqrt(2 / N)
    assert abs(bond["r0"] - 0.97) < 3 * math.sqrt(KT / 25.0 / (2 * N))
    assert abs(angle["theta0"] - 1.85) < 3 * math.sqrt(KT / 4.0 / N)
    # and to the last digit they are what the samples say
    assert bond["k"] == pytest.approx(KT / r.var(), rel=1e-9)
    assert bond["r0"] == pytest.approx(r.mean(), rel=1e-12)
    assert angle["k"] == pytest.approx(KT / theta.var(), rel=1e-9)
    assert angle["theta0"] == pytest.approx(theta.mean(), rel=1e-12)


def test_force_constants_are_in_the_unit_of_the_energy(water):
    dataset = water[0]
    found = {}
    for unit in ("eV", "kcal/mol"):
        prior = prior_of(unit, bonds="invert")
        start_values(prior, dataset)
        found[unit] = prior.values()["bonds"]["O-H"]["k"]
    assert found["kcal/mol"] / found["eV"] == pytest.approx(23.0605, rel=1e-5)


def peroxide(phi):
    at = [[1.0, 0, -0.3], [0, 0, 0], [0, 0, 1.4], [np.cos(phi), np.sin(phi), 1.7]]
    return Atoms("HOOH", at)


@pytest.mark.parametrize("chiral", [False, True])
def test_inversion_of_dihedrals_recovers_a_fourier_series(chiral):
    cosines, sines = [0.02, -0.03, 0.01], [0.015, -0.01, 0.0]
    grid = np.linspace(-np.pi, np.pi, 20001)
    n = np.arange(1, 4)
    u = np.cos(np.outer(grid, n)) @ cosines
    if chiral:
        u = u + np.sin(np.outer(grid, n)) @ sines
    cumulated = np.cumsum(np.exp(-u / KT))
    quantiles = (np.arange(N) + 0.5) / N
    phi = np.interp(quantiles, cumulated / cumulated[-1], grid)
    option = {"dihedrals": {"H-O-O-H": "invert"}, "chiral": chiral}
    prior = Prior(
        {"topology": {"from": "connectivity"}, "temperature": 300.0, **option},
        TYPES, "angstrom", "eV",
    )  # fmt: skip
    start_values(prior, dataset_of([peroxide(one) for one in phi]))
    found = prior.values()["dihedrals"]["H-O-O-H"]
    np.testing.assert_allclose(found["cos"], cosines, atol=0.0015)
    if chiral:
        np.testing.assert_allclose(found["sin"], sines, atol=0.0015)


def test_values_of_the_options_are_not_inverted_and_absent_terms_are_reported(water, caplog):
    given = {"k": 7.0, "r0": 1.3}
    prior = prior_of(bonds={"H-O": given, "C-H": "invert", "C-C": given})
    with caplog.at_level(logging.WARNING):
        start_values(prior, water[0].select(range(5)))
    found = prior.values()["bonds"]
    assert set(found) == {"H-O", "C-C"}
    assert found["H-O"] == pytest.approx(given)
    assert "no bonds of C-H are in the training set; they get no energy" in caplog.text


def test_one_length_makes_no_force_constant(water):
    still = dataset_of([Atoms("OH", [[0, 0, 0], [0, 0, 0.97]])] * 3)
    with pytest.raises(ConfigError, match=r"bonds.O-H: does not vary .* give k"):
        start_values(prior_of(bonds="invert"), still)


def test_what_is_given_in_the_options_comes_back(hypers):
    prior = Prior(hypers, TYPES, "angstrom", "eV")
    values = prior.values()
    for term in ("bonds", "angles"):
        for name, one in hypers[term].items():
            assert values[term][name] == pytest.approx(one)
    assert values["repulsion"]["epsilon"] == pytest.approx(hypers["repulsion"]["epsilon"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"topology": None}, "topology: bonds need a topology"),
        ({"bonds": {"C-X": {"k": 1.0, "r0": 1.0}}}, "bonds.C-X: 'X' is not an element of the"),
        ({"angles": {"C-H": "invert"}, "temperature": 9.0}, "3 elements are wanted"),
        ({"bonds": "invert"}, "temperature: bonds: invert needs it"),
        (
            {"bonds": {"C-H": {"k": 1.0, "r0": 1.0}, "H-C": {"k": 1.0, "r0": 1.0}}},
            "bonds.H-C: is C-H from the other end; give it once",
        ),
        ({"dihedrals": {"C-C-C-C": {"cos": [1.0] * 4}}}, "more than dihedral_order, 3"),
        ({"dihedrals": {"C-C-C-C": {"cos": [], "sin": [1.0]}}}, "sines need chiral: true"),
        ({"repulsion": {"sigma": {"H": 1.0}, "epsilon": 1, "cutoff": 3}}, "C has no value"),
        (
            {"repulsion": {"sigma": 1.0, "epsilon": 1.0, "cutoff": 3.0, "onset": 4.0}},
            "onset: 4.0 is not below the cutoff, 3.0",
        ),
        ({"topology": {"from": "molecules"}}, "from: molecules and the list of molecules go"),
        ({"bond": {}}, "unknown key 'bond'; did you mean 'bonds'"),
    ],
)
def test_contradictions_in_the_options_are_refused(change, message, hypers):
    with pytest.raises(ConfigError, match=message):
        Prior({**hypers, **change}, TYPES, "angstrom", "eV")


def test_nothing_at_all_is_refused():
    with pytest.raises(ConfigError, match="has no terms"):
        Prior({}, TYPES, "angstrom", "eV")


@pytest.mark.parametrize(("units", "what"), [(("", "eV"), "length"), (("angstrom", ""), "energy")])
def test_missing_units_are_asked_for(units, what, hypers):
    hypers = {**hypers, "bonds": "invert", "temperature": 300.0}
    with pytest.raises(ArchitectureError, match=f"the prior needs the .*{what}.*write it in the"):
        Prior(hypers, TYPES, *units)


def test_all_tuples_of_many_elements_are_refused():
    option = {"topology": {"from": "connectivity"}, "dihedrals": "invert", "temperature": 1.0}
    with pytest.raises(ConfigError, match="30 elements have 810000 kinds of dihedrals; name"):
        Prior(option, list(range(1, 31)), "angstrom", "eV")


def test_a_prior_of_more_elements_takes_what_another_has_learnt(hypers, water):
    """As fine-tuning to new elements needs it."""
    option = {
        **hypers,
        "topology": {"from": "data", "factor": 1.6},
        "temperature": 300.0,
        "bonds": "invert",
    }
    option |= {"repulsion": {"sigma": 2.0, "epsilon": 0.1, "cutoff": 4.0}}
    source = Prior(option, TYPES, "angstrom", "eV")
    start_values(source, water[0].select(range(20)))
    with torch.no_grad():
        source.repulsion.log_epsilon += 0.3
    model = Prior(option, [1, 3, 6, 8], "angstrom", "eV")
    model.take(source)
    values, wanted = model.values(), source.values()
    assert values["repulsion"]["epsilon"].pop("Li") == pytest.approx(0.1)
    assert values == wanted
    assert model.topology.n_atoms.tolist() == [3]
    assert model.topology.types.tolist() == [3, 0, 0]

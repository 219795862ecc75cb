"""Baselines and scales that a model takes from its training set."""

import logging

import ase.build
import numpy as np
import pytest
import torch
from ase.calculators.singlepoint import SinglePointCalculator

from mtt import Dataset
from mtt.errors import ConfigError

ATOMIC = {"H": -13.6, "C": -1029.5, "O": -2041.25}


@pytest.fixture
def molecules():
    """Molecules whose energies are sums over atoms, with random forces of 0.7 eV/Å."""
    rng = np.random.default_rng(0)
    structures = []
    for name in ("CH4", "H2O", "CH3OH", "CO2", "C2H6"):
        atoms = ase.build.molecule(name)
        energy = sum(ATOMIC[symbol] for symbol in atoms.symbols)
        forces = rng.choice([-0.7, 0.7], size=(len(atoms), 3))
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        structures.append(atoms)
    return structures


@pytest.fixture
def dataset(molecules):
    return Dataset.from_atoms(molecules, {"energy": {"unit": "eV", "forces": True}})


@pytest.fixture
def fresh(model_class, dataset):
    """A function that makes a model for the data set."""
    return lambda **hypers: model_class({"cutoff": 3.0, **hypers}, dataset.info)


def test_composition_is_found_and_the_scale_is_that_of_the_forces(fresh, dataset, caplog):
    model = fresh()
    with caplog.at_level(logging.WARNING):
        model.fit_baselines(dataset, {})
    expected = torch.tensor([[-13.6], [-1029.5], [-2041.25]], dtype=torch.float64)
    torch.testing.assert_close(model.composition.values, expected, rtol=1e-11, atol=0)
    assert model.scales["energy"] == pytest.approx(0.7, rel=1e-12)
    assert not caplog.text


def test_given_baselines_and_scales_are_taken_as_they_are(fresh, dataset):
    model = fresh()
    given = {"energy": {1: -1.0, 6: -2.0, 8: -3.0}}
    model.fit_baselines(
        dataset, {"atomic_baseline": given, "fixed_scaling_weights": {"energy": 4.0}}
    )
    assert model.composition.values[:, 0].tolist() == [-1.0, -2.0, -3.0]
    assert model.scales == {"energy": 4.0}


@pytest.mark.parametrize("given", [{"O": -2000.0}, {8: -2000.0, "C": -1000.0}, {"U": 1.0}])
def test_elements_without_a_given_energy_are_fitted_to_what_the_others_leave(fresh, dataset, given):
    model = fresh()
    model.fit_baselines(dataset, {"atomic_baseline": {"energy": given}})
    found = dict(zip((1, 6, 8), model.composition.values[:, 0].tolist(), strict=True))
    fixed = {{"O": 8, "C": 6}.get(key, key): value for key, value in given.items() if key != "U"}
    assert {z: found[z] for z in fixed} == fixed
    rest = [i for i, z in enumerate((1, 6, 8)) if z not in fixed]
    counts = dataset.composition((1, 6, 8)).numpy()
    taken = sum(counts[:, (1, 6, 8).index(z)] * value for z, value in fixed.items())
    left = dataset.target("energy").values[:, 0].numpy() - taken
    expected = np.linalg.lstsq(counts[:, rest], left, rcond=None)[0]
    np.testing.assert_allclose([list(found.values())[i] for i in rest], expected, rtol=1e-10)


def test_what_compositions_do_not_determine_is_said_once_for_all_targets(
    molecules, model_class, caplog
):
    """Two targets, one composition: one warning, with what to do."""
    same = [molecules[0].copy() for _ in range(3)]
    for i, atoms in enumerate(same):
        atoms.calc = SinglePointCalculator(atoms, energy=-1.0 * i)
    one = {"key": "energy", "unit": "eV", "quantity": "energy", "forces": False, "stress": False}
    targets = {"energy": one, "energy/b": one}
    info = Dataset.from_atoms(same, targets)
    from mtt.mlip.fitting import fit_weights

    with caplog.at_level(logging.WARNING):
        fit_weights(info, info.info, {}, {})
    (said,) = caplog.messages
    assert "(H, C) of energy, energy/b: 1 of 2 combinations is known" in said
    assert "or give atomic_baseline: {energy: {H: ...}}" in said


def test_scaling_can_be_switched_off(fresh, dataset):
    model = fresh()
    model.fit_baselines(dataset, {"scale_targets": False})
    assert model.scales == {"energy": 1.0}


def test_without_forces_the_scale_is_the_rest_per_atom(molecules, model_class):
    for atoms in molecules:
        atoms.calc = SinglePointCalculator(atoms, energy=atoms.get_potential_energy())
    molecules[0].calc.results["energy"] += 0.5  # five atoms
    dataset = Dataset.from_atoms(molecules, {"energy": {"unit": "eV", "forces": False}})
    model = model_class({"cutoff": 3.0}, dataset.info)
    zero = {"energy": dict(zip((1, 6, 8), ATOMIC.values(), strict=True))}
    model.fit_baselines(dataset, {"atomic_baseline": zero})
    assert model.scales["energy"] == pytest.approx(np.sqrt(0.1**2 / 5), rel=1e-9)


def test_composition_is_what_zbl_leaves(fresh, dataset):
    plain, repulsive = fresh(), fresh(zbl=True)
    plain.fit_baselines(dataset, {})
    repulsive.fit_baselines(dataset, {})
    repulsion = torch.cat([_repulsion(repulsive, dataset.select([i])) for i in range(len(dataset))])
    assert repulsion.abs().max() > 0.1
    counts = dataset.composition((1, 6, 8))
    expected = np.linalg.lstsq(counts, dataset.target("energy").values - repulsion, rcond=None)[0]
    np.testing.assert_allclose(repulsive.composition.values, expected, rtol=1e-10)


def _repulsion(model, dataset):
    from mtt.data import Batching, Loader

    loader = Loader(
        dataset,
        (1, 6, 8),
        cutoff=model.list_cutoff(),
        dtype=torch.float64,
        batching=Batching(structures=1),
        shuffle=False,
    )
    (batch,) = loader.epoch()
    return model.zbl(batch.graph).sum().reshape(1, 1)


@pytest.mark.parametrize(
    ("hypers", "message"),
    [
        ({"atomic_baseline": {"enregy": 1.0}}, "no target is called 'enregy'; did you mean"),
        ({"atomic_baseline": {"energy": {"Hx": -1.0}}}, "'Hx' is not an element; did you mean"),
        ({"atomic_baseline": {"energy": {1: "x", 6: 0, 8: 0}}}, "'x' is not a finite number"),
        ({"atomic_baseline": {"energy": float("nan")}}, "nan is not a finite number; give one"),
        ({"atomic_baseline": {"energy": [1.0]}}, "is not a finite number"),
        ({"atomic_baseline": {"energy": True}}, "True is not a finite number"),
        ({"atomic_baseline": "zero"}, "'zero' is not a mapping of targets"),
        ({"fixed_scaling_weights": {"energy": float("inf")}}, "inf is not a positive number"),
        ({"fixed_scaling_weights": {"energy": -2.0}}, "-2.0 is not a positive number"),
        ({"fixed_scaling_weights": {"energy": {1: 2.0}}}, "not available yet"),
    ],
)
def test_impossible_values_are_refused(fresh, dataset, hypers, message):
    with pytest.raises(ConfigError, match=message):
        fresh().fit_baselines(dataset, hypers)

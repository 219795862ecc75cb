"""Labels of replayed structures."""

import ase.build
import numpy as np
import pytest
import torch
from ase.calculators.singlepoint import SinglePointCalculator

from mtt import Dataset, DatasetInfo, TargetInfo
from mtt.architectures.soap_bpnn import __model__ as SoapBPNN
from mtt.data.labels.find_key import WRITE_NAN
from mtt.errors import DataError, Problem
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import find
from mtt.testing import predictions
from mtt.workflows.finetune.replay.label import (
    check_labelled,
    located,
    of_source,
    renamed,
)

ENERGY = TargetInfo.energy(forces=True, stress=True)
INFO = DatasetInfo("angstrom", (1, 8), {"energy": ENERGY})
SMALL = {"soap": {"max_angular": 1, "max_radial": 1}, "bpnn": {"num_neurons_per_layer": 3}}


@pytest.fixture(scope="module")
def source():
    torch.manual_seed(0)
    hypers = deep_merge(find("soap_bpnn").load().default_hypers["model"], SMALL)
    return SoapBPNN(hypers, INFO).to(torch.float64)


@pytest.fixture
def atoms():
    """A molecule, and the same in a crystal."""
    molecule = ase.build.molecule("H2O")
    crystal = molecule.copy()
    crystal.set_cell([4.0, 4.5, 5.0])
    crystal.pbc = True
    return [molecule, crystal]


def test_the_labels_are_what_the_source_predicts(source, atoms):
    dataset = Dataset.from_atoms(atoms, {})
    found = of_source(
        source, dataset, {"energy/source": "energy"}, {"energy/source": ENERGY}, "cpu"
    )
    target = found.target("energy/source")
    expected = [one["energy"] for one in predictions(source, atoms)]
    torch.testing.assert_close(target.values[:, 0], torch.cat([e.values[0] for e in expected]))
    torch.testing.assert_close(target.forces, torch.cat([e.forces for e in expected]))
    torch.testing.assert_close(target.strain[1], expected[1].strain.reshape(3, 3))
    assert target.strain[0].isnan().all()  # a molecule has no stress
    assert found.info.atomic_types == (1, 8)
    np.testing.assert_array_equal(found.atoms(1).cell, atoms[1].cell)
    assert list(found.atoms(1).pbc) == [True] * 3


def test_molecules_alone_get_no_stress_at_all(source, atoms):
    dataset = Dataset.from_atoms(atoms[:1], {})
    found = of_source(
        source, dataset, {"energy/source": "energy"}, {"energy/source": ENERGY}, "cpu"
    )
    assert found.info.targets["energy/source"].gradients == ("positions",)


def labelled(atoms, energies):
    frames = []
    for energy in energies:
        one = atoms[0].copy()
        one.calc = SinglePointCalculator(one, energy=energy, forces=np.ones((3, 3)))
        frames.append(one)
    return Dataset.from_atoms(frames, {"energy": {"forces": True, "stress": False}})


def test_labels_get_the_name_of_the_second_head(atoms):
    view = renamed(labelled(atoms, [1.0, 2.0]), {"energy": "energy/source"})
    assert [*view.info.targets] == ["energy/source"]
    assert view.target("energy/source").values.flatten().tolist() == [1.0, 2.0]
    assert view.select([1]).target("energy/source").forces.shape == (3, 3)


def test_structures_without_labels_are_named_up_to_five(atoms):
    view = renamed(labelled(atoms, [float("nan")] * 6 + [1.0]), {"energy": "energy/source"})
    with pytest.raises(DataError, match=r"here: 6 .* no energy/source: .*frame 4 and 1 more; add"):
        check_labelled(view, "here")
    check_labelled(view.select([6]), "here")


def test_a_crystal_without_stress_is_named_and_a_molecule_needs_none(atoms):
    molecule, crystal = (one.copy() for one in atoms)
    other = crystal.copy()
    for one in (molecule, crystal, other):
        one.info["energy"] = 1.0
        one.info["stress"] = np.full((3, 3), np.nan)
    crystal.info["stress"] = np.eye(3)
    target = {"energy": {"key": "energy", "unit": "eV", "stress": {"key": "stress"}}}
    view = renamed(Dataset.from_atoms([molecule, crystal, other], target), {"energy": "old"})
    with pytest.raises(DataError, match=r"here: 1 .* no stress of old: .*2"):
        check_labelled(view, "here")
    check_labelled(view.select([0, 1]), "here")


def test_nan_is_not_the_answer_to_a_missing_label_where_all_are_needed():
    problem = Problem("no 'energy'", "old.xyz, frame 7", f"(keys: none); {WRITE_NAN}")
    found = located(problem, "replay")
    assert found.where == "replay.data: old.xyz, frame 7"
    assert found.hint == "(keys: none); leave such structures out, or use labels: source"
    assert located(Problem("two length units"), "replay").where == "replay"

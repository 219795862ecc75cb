"""Exported models contain their prior."""

from __future__ import annotations

from pathlib import Path

import ase
import ase.build
import numpy as np
import pytest
import torch
from metatomic_ase import MetatomicCalculator

from mtt import DatasetInfo, MLIPModel
from mtt.data import Batching, Dataset, Loader
from mtt.exporting import export_model

ETHANOL = {"elements": "C C O H H H H H H", "bonds": "0-1 1-2 2-3 1-4 1-5 0-6 0-7 0-8"}
TOPOLOGIES = {
    "connectivity": {"from": "connectivity"},
    "molecules": {"from": "molecules", "molecules": [ETHANOL], "longest_bond": 2.2},
}


@pytest.fixture(params=TOPOLOGIES)
def carrier(request: pytest.FixtureRequest, model: MLIPModel, info: DatasetInfo) -> MLIPModel:
    """A trained-like model whose prior has every term."""
    prior = {
        "topology": TOPOLOGIES[request.param],
        "bonds": {"C-C": {"k": 20.0, "r0": 1.45}, "H-C": {"k": 21.0, "r0": 1.05}},
        "angles": {"H-C-H": {"k": 2.0, "theta0": 1.8}},
        "dihedrals": {"C-C-O-H": {"cos": [0.25, 0.05]}},
        "repulsion": {"sigma": 2.0, "epsilon": 0.3, "cutoff": 4.5},
    }
    made = type(model)({"prior": prior}, info).to(torch.float64)
    own = model.state_dict()
    made.load_state_dict({**made.state_dict(), **own})
    return made


@pytest.fixture
def ethanol() -> ase.Atoms:
    """In a skewed cell whose boundary cuts it."""
    atoms = ase.build.molecule("CH3CH2OH")
    atoms.rattle(0.05, seed=2)
    atoms.set_cell([[6.1, 0, 0], [0.7, 5.6, 0], [0.2, -0.5, 5.9]])
    atoms.pbc = True
    atoms.positions += [2.7, 0.8, 1.9]
    atoms.wrap()
    return atoms


def test_an_exported_prior_gives_what_the_training_code_gives(
    carrier: MLIPModel, ethanol: ase.Atoms, tmp_path: Path
) -> None:
    """The file is verified in a fresh process first; here once more, to 1e-10 in float64."""
    path = export_model(carrier, tmp_path / "model.pt")
    calculator = MetatomicCalculator(path, device="cpu", check_consistency=True)
    ethanol.calc = calculator
    dataset = Dataset.from_atoms([ethanol], {})
    loader = Loader(
        dataset,
        (1, 6, 8),
        cutoff=carrier.list_cutoff(),
        dtype=torch.float64,
        batching=Batching(structures=1),
        shuffle=False,
    )
    (batch,) = loader.epoch()
    wanted = carrier.predict_targets(batch.graph)["energy"]
    assert ethanol.get_potential_energy() == pytest.approx(wanted.values.item(), rel=1e-10)
    np.testing.assert_allclose(ethanol.get_forces(), wanted.forces.numpy(), rtol=1e-10, atol=1e-10)
    stress = wanted.strain[0].numpy() / ethanol.get_volume()
    np.testing.assert_allclose(ethanol.get_stress(voigt=False), stress, rtol=1e-10, atol=1e-12)


def test_atomic_energies_sum_to_the_total_and_a_supercell_has_eight_times_the_energy(
    carrier: MLIPModel, ethanol: ase.Atoms, tmp_path: Path
) -> None:
    path = export_model(carrier, tmp_path / "model.pt")
    calculator = MetatomicCalculator(path, device="cpu")
    ethanol.calc = calculator
    eight = ethanol * (2, 2, 2)
    eight.calc = calculator
    one = ethanol.get_potential_energy()
    assert eight.get_potential_energy() == pytest.approx(8 * one, rel=1e-10)
    assert calculator.get_potential_energies(ethanol).sum() == pytest.approx(one, rel=1e-12)


def test_training_on_leaves_the_exported_file_alone(
    carrier: MLIPModel, ethanol: ase.Atoms, tmp_path: Path
) -> None:
    exported = carrier.export()
    before = [weights.clone() for weights in exported.parameters()]
    with torch.no_grad():
        for weights in carrier.parameters():
            weights += 1.0
    assert all(map(torch.equal, before, exported.parameters()))

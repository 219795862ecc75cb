"""The pages of the engines are run, with a model of an alloy that is solved in a second."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ase import units

from mtt import train

pytestmark = pytest.mark.filterwarnings("ignore")  # of the engines
PAGES = ("ase", "lammps", "ipi", "torch-sim", "openmm")


@pytest.fixture(scope="module")
def given(alloy: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The models that the pages name: Cu-Au, solved at once, and ethanol, hardly trained."""
    folder = tmp_path_factory.mktemp("models")
    target = {"key": "energy", "unit": "eV", "forces": True, "stress": True}
    options: dict[str, Any] = {
        "seed": 1,
        "final_eval": False,
        "architecture": {
            "name": "experimental.linear_ace",
            "model": {"features": 20, "max_angular": 2},
        },
        "training_set": {
            "systems": {"read_from": str(alloy), "length_unit": "angstrom"},
            "targets": {"energy": target},
        },
        "validation_set": 0.2,
        "test_set": 0.0,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train(options, output="alloy.pt")
    return {"alloy.pt": folder / "alloy.pt", "ethanol.pt": trained / "model.pt"}


@pytest.fixture
def page(walk: Callable[..., Any], given: dict[str, Path]) -> Callable[[str], SimpleNamespace]:
    """``page(name)`` runs it, and returns what its scripts made, printed and wrote."""

    def page(name: str) -> SimpleNamespace:
        names: dict[str, Any] = {"__name__": "__main__"}
        _, done = walk(name, given, names)
        return SimpleNamespace(**names, said=done.said, folder=done.folder)

    return page


def test_the_page_of_ase_runs(page: Callable[[str], SimpleNamespace]) -> None:
    done = page("ase")
    assert done.converged
    assert abs(done.pressure) < 0.01  # eV/Å³
    assert abs(done.drift) < 1.0  # meV per atom in 40 fs
    assert 5.0 < done.crystal.get_volume() / len(done.crystal) < 30.0  # Å³
    assert done.frequencies.shape == (27,)
    assert np.isfinite(done.frequencies).all()


def test_the_page_of_lammps_runs(page: Callable[[str], SimpleNamespace]) -> None:
    pytest.importorskip("lammps")
    done = page("lammps")
    lmp = done.lmp
    assert (lmp.get_natoms(), lmp.get_thermo("step")) == (108, 10)
    # types are read in the order of specorder: a quarter is gold
    types = lmp.numpy.extract_atom("type")[:108]
    assert sorted(types.tolist()) == [1] * 81 + [2] * 27
    atoms = done.atoms.copy()
    atoms.numbers = done.TYPES[types]
    atoms.positions = lmp.numpy.extract_atom("x")[:108]
    atoms.calc = done.calculator
    assert lmp.get_thermo("pe") == pytest.approx(atoms.get_potential_energy(), rel=1e-9)
    moving = 3 * (108 - 1) * units.kB * lmp.get_thermo("temp")
    virial = -atoms.get_volume() * atoms.get_stress()[:3].sum()
    pressure = (moving + virial) / (3 * atoms.get_volume()) / units.bar
    assert lmp.get_thermo("press") == pytest.approx(pressure, rel=1e-6)
    lmp.close()


def test_the_page_of_ipi_runs(page: Callable[[str], SimpleNamespace]) -> None:
    pytest.importorskip("ipi")
    done = page("ipi")
    rows = np.loadtxt(done.folder / "crystal.out")
    assert rows[:, 0].tolist() == list(range(21))
    conserved = rows[:, 2] / 32  # eV per atom
    assert np.ptp(conserved) < 1e-3
    assert np.ptp(rows[:, 3]) > 0.0


def test_the_page_of_torch_sim_runs(page: Callable[[str], SimpleNamespace]) -> None:
    pytest.importorskip("metatomic_torchsim")
    done = page("torch-sim")
    expected = []
    from metatomic_ase import MetatomicCalculator

    for cell in done.cells:
        cell.calc = MetatomicCalculator("alloy.pt", device="cpu")
        expected.append(cell.get_potential_energy())
    np.testing.assert_allclose(done.energies.detach().numpy(), expected, rtol=1e-8)
    assert done.final.n_systems == 4


def test_the_page_of_openmm_runs(page: Callable[[str], SimpleNamespace]) -> None:
    pytest.importorskip("openmmml")
    done = page("openmm")
    unit = done.unit
    state = done.simulation.context.getState(getEnergy=True, getPositions=True)
    done.ethanol.positions = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    done.ethanol.calc = done.calculator
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    assert energy == pytest.approx(done.ethanol.get_potential_energy() * 96.48533212, rel=1e-6)


def test_every_engine_is_in_the_table_and_in_the_menu(root: Path) -> None:
    docs = root / "docs" / "src"
    table = (docs / "engines.md").read_text(encoding="utf-8")
    menu = (docs / "how-to.md").read_text(encoding="utf-8")
    for name in PAGES:
        assert f"]({name}.md)" in table, name
        assert re.search(rf"<{name}>$", menu, re.MULTILINE), name

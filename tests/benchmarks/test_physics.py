"""Properties of the physics table, against closed forms and known constants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import ase
import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.morse import MorsePotential

Import = Callable[[str], ModuleType]


@pytest.fixture
def inside(module: Import, monkeypatch: pytest.MonkeyPatch) -> Import:
    """A module of ``benchmarks/accuracy/inside``."""
    monkeypatch.syspath_prepend(str(module("making").INSIDE))
    return module


def test_copper_of_emt_has_its_constants_and_the_symmetry_of_a_cubic_crystal(
    inside: Import,
) -> None:
    crystal, copper = inside("crystal"), bulk("Cu", a=3.7)
    copper.info["a"] = 3.7
    relaxed = crystal.relaxed(copper, EMT())
    assert relaxed.info["a"] == pytest.approx(3.590, abs=1e-3)
    assert np.abs(relaxed.get_stress()).max() < 1e-6
    matrix = crystal.stiffness(relaxed)
    found = crystal.cubic(matrix)
    assert [found[name] for name in ("C11", "C12", "C44")] == pytest.approx(
        [173, 115, 90], rel=0.01
    )
    a, b, c = found.values()
    symmetric = np.diag([a - b, a - b, a - b, c, c, c])
    symmetric[:3, :3] += b
    assert matrix == pytest.approx(symmetric, abs=0.5)
    phonons = crystal.phonons(relaxed, EMT())
    assert phonons["G"] == pytest.approx([0, 0, 0], abs=1e-3)
    assert phonons["X"][0] == pytest.approx(phonons["X"][1], abs=1e-4)
    assert phonons["L"][0] == pytest.approx(phonons["L"][1], abs=1e-4)
    assert phonons["K"] == pytest.approx(phonons["U"], abs=1e-3)


def test_silicon_of_tersoff_has_its_cohesive_energy_and_lattice_constant(inside: Import) -> None:
    """J. Tersoff, Phys. Rev. B 39, 5566 (1989): 4.63 eV, 5.432 Å."""
    tersoff = inside("tersoff")
    atoms = bulk("Si", a=tersoff.LATTICE)
    atoms.calc = tersoff.silicon()
    assert atoms.get_potential_energy() / 2 == pytest.approx(-4.63, abs=0.005)
    assert np.abs(atoms.get_stress()).max() < 1e-4


def test_a_triangle_of_springs_has_its_three_frequencies(inside: Import) -> None:
    """Equal atoms, springs k: sqrt(3 k / m) once, sqrt(3 k / 2 m) twice."""
    r0, stiff, well = 2.0, 6.0, 1.0
    height = np.sqrt(3) / 2 * r0
    atoms = ase.Atoms("C3", [[0, 0, 0], [r0, 0, 0], [r0 / 2, height, 0]])
    morse = MorsePotential(epsilon=well, r0=r0, rho0=stiff, rcut1=5.0, rcut2=6.0)
    found = inside("vibrations").vibrations(atoms, morse)
    constant = 2 * well * stiff**2 / r0**2  # eV/Å²
    single = (
        ase.units._hbar
        * np.sqrt(3 * constant * ase.units._e / ase.units._amu / 12.011 * 1e20)
        / (ase.units._e * ase.units.invcm)
    )
    assert found["wave numbers"] == pytest.approx([single / 2**0.5] * 2 + [single], rel=2e-3)
    total = sum(found["wave numbers"]) * ase.units.invcm
    assert found["zero point"] == pytest.approx(total / 2)


def test_a_density_and_its_standard_error(inside: Import) -> None:
    npt = inside("npt")
    assert npt.density(bulk("Cu", a=3.615)) == pytest.approx(8.93, abs=0.01)
    random = np.random.default_rng(1)
    values = np.concatenate([np.full(2000, 99.0), 5.0 + 0.1 * random.standard_normal(8000)])
    mean, error = npt.mean_and_error(values)
    assert mean == pytest.approx(5.0, abs=0.005)
    assert error == pytest.approx(0.1 / np.sqrt(8000), rel=0.6)


def test_rotations_keep_lengths_and_turn_a_dihedral_by_their_angle(inside: Import) -> None:
    scans, ethanol = inside("molecular_scans"), molecule("CH3CH2OH")
    steps = list(scans.dihedrals(ethanol))
    assert {step.name for step in steps} == {"C0-C1", "C1-O2"}
    assert len(steps) == 72
    pairs = scans.bonds(ethanol)
    about = [step for step in steps if step.name == "C1-O2"]
    start = ethanol.get_dihedral(0, 1, 2, 3)
    for step in about:
        turned = ase.Atoms(ethanol.symbols, step.positions)
        lengths = [turned.get_distance(*pair) for pair in pairs]
        assert lengths == pytest.approx([ethanol.get_distance(*pair) for pair in pairs])
        change = (turned.get_dihedral(0, 1, 2, 3) - start) % 360
        assert min(abs(change - step.value), abs(360 - change - step.value)) < 1e-6


def test_bonds_of_rings_are_neither_turned_nor_stretched(inside: Import) -> None:
    scans, benzene = inside("molecular_scans"), molecule("C6H6")
    assert list(scans.dihedrals(benzene)) == []
    assert {step.name for step in scans.dissociations(benzene)} == {"C0-H6"}


def test_a_bond_is_stretched_to_three_angstrom_and_the_rest_stays(inside: Import) -> None:
    scans, ethanol = inside("molecular_scans"), molecule("CH3CH2OH")
    steps = [step for step in scans.dissociations(ethanol) if step.name == "C1-O2"]
    last = ase.Atoms(ethanol.symbols, steps[-1].positions)
    assert last.get_distance(1, 2) == pytest.approx(scans.LONGEST) == steps[-1].value
    assert last.get_distance(2, 3) == pytest.approx(ethanol.get_distance(2, 3))
    assert last.get_distance(0, 1) == pytest.approx(ethanol.get_distance(0, 1))
    assert steps[0].value < ethanol.get_distance(1, 2)


def test_a_hydrogen_is_moved_from_one_oxygen_to_the_other(inside: Import) -> None:
    scans = inside("molecular_scans")
    atoms = ase.Atoms("OHO", [[0, 0, 0], [1.0, 0.1, 0], [2.5, 0, 0]])
    steps = list(scans.transfers(atoms))
    assert [step.name for step in steps] == ["H1: O0 to O2"] * scans.TRANSFER_POINTS
    ends = [ase.Atoms("OHO", steps[i].positions) for i in (0, -1)]
    assert [ends[0].get_distance(0, 1), ends[1].get_distance(1, 2)] == pytest.approx([0.9, 0.9])
    far = ase.Atoms("OHO", [[0, 0, 0], [1.0, 0.1, 0], [4.5, 0, 0]])
    assert list(scans.transfers(far)) == []


def compared(module: Import, **changes: Any) -> Any:
    found = {"values": {"Cu: C11, GPa": 180.0}, "lists": {"Cu: phonons, THz": [3.0, 5.0]}}
    extra = {
        "physics": {**found, "failed": {"NPT": "exit 1\nit broke"}},
        "reference": {
            "values": {"Cu: C11, GPa": 173.0, "Cu3Au: NPT density, g/cm³": 12.5},
            "lists": {"Cu: phonons, THz": [4.0, 4.0]}, "failed": {},
        },
    }  # fmt: skip
    values: dict[str, Any] = {
        "table": "physics", "data": "alloy", "model_name": "ours", "seed": 1, "threads": 1,
        "processor": "p", "minutes": 5.0, "extra": extra,
    }  # fmt: skip
    return module("results").Result(**(values | changes))


def test_a_quantity_is_a_line_with_reference_number_and_difference(module: Import) -> None:
    text = module("physics_table").notes([compared(module)])
    assert text.splitlines()[4:7] == [
        "| alloy | Cu: C11, GPa | ours | 5 | 173.0 | 180.0 | 7.0 |",
        "| alloy | Cu3Au: NPT density, g/cm³ | ours | 5 | 12.500 | – | – |",
        "| alloy | all Cu: phonons, THz | ours | 5 | 4.00 | – | 1.00 |",
    ]
    assert "seed1" in text.splitlines()[-1]
    assert text.endswith("physics: NPT: it broke")


def test_every_test_set_and_every_scan_of_extrapolation_is_a_line(module: Import) -> None:
    results, extrapolation = module("results"), module("extrapolation")
    one = results.Result(
        table="extrapolation", data="ethanol", model_name="ours", seed=1, threads=1,
        processor="p", minutes=5.0,
        errors={
            part: {"n_structures": 9, "energy_rmse": 7.0, "energy_spread": 3.0}
            for part in ("validation", "300K", "1200K", "dihedrals", "train")
        },
        groups={"dihedrals": {"C0-C1": {"energy_rmse": 2.0}}, "300K": {"300 K": {}}},
    )  # fmt: skip
    lines = extrapolation.notes([one]).splitlines()
    found = [line for line in lines if line.startswith("| ethanol")]
    assert found == [
        "| ethanol | 300K | ours | 5 | 9 | 7.0 | 3.0 | – | – | – |",
        "| ethanol | 1200K | ours | 5 | 9 | 7.0 | 3.0 | – | – | – |",
        "| ethanol | dihedrals | ours | 5 | 9 | 7.0 | 3.0 | – | – | – |",
        "| ethanol | dihedrals, C0-C1 | ours | 5 | – | 2.0 | – | – | – | – |",
    ]


def test_predictions_of_several_files_are_scored_against_their_labels(
    inside: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for number, edge in enumerate((3.6, 3.7)):
        atoms = bulk("Cu", a=edge, cubic=True)
        atoms.rattle(0.05, seed=number)
        atoms.calc = EMT()
        atoms.get_stress()
        files += [str(tmp_path / f"{number}.xyz"), str(tmp_path / f"{number}.npz")]
        ase.io.write(files[-2], atoms, format="extxyz")
    inside("predict").main("emt", "-", *files)
    assert capsys.readouterr().out == '{"parameters": null}\n'
    score = inside("score")
    for frames, out in (files[:2], files[2:]):
        labels = score.read_labels(Path(frames))
        errors = score.errors(labels, score.read_predictions(Path(out)))
        assert errors.energy_rmse == pytest.approx(0, abs=1e-4)
        assert errors.forces_rmse == pytest.approx(0, abs=1e-3)
        assert errors.stress_rmse == pytest.approx(0, abs=1e-3)

"""``mtt check --fit``: labels against a model that is fitted to energies and forces."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from mtt.checking.quick_fit import fitter
from mtt.data import read_dataset
from mtt.options import load_eval_options
from mtt.scanning import Finding, scan

CHECKS = ("stress against a fit", "forces against a fit", "energies against a fit")
Frames = list[ase.Atoms]


@pytest.fixture(scope="module")
def two_groups() -> Frames:
    """Hot crystals, no two of them similar: thirty of copper, thirty of a Cu-Au alloy."""
    generator = np.random.default_rng(2)
    frames = []
    for group in ("hot", "alloy"):
        for _ in range(30):
            atoms = bulk("Cu", cubic=True).repeat((2, 1, 1))
            if group == "alloy":
                atoms.numbers[generator.choice(8, 3, replace=False)] = 79
            strain = np.eye(3) + generator.normal(0.0, 0.03, (3, 3))
            atoms.set_cell(atoms.cell @ strain, scale_atoms=True)
            atoms.rattle(0.25, rng=generator)
            atoms.info["config_type"] = group
            atoms.calc = EMT()
            names = ("energy", "forces", "stress")
            results = {name: atoms.calc.get_property(name, atoms) for name in names}
            atoms.calc = SinglePointCalculator(atoms, **results)
            frames.append(atoms)
    return frames


@pytest.fixture
def found(tmp_path: Path) -> Callable[[Frames], list[Finding]]:
    """What a scan with a fit says of frames."""

    def found(frames: Frames) -> list[Finding]:
        path = tmp_path / "data.xyz"
        ase.io.write(path, frames)
        stress = {"key": "energy", "unit": "eV", "forces": True, "stress": True}
        systems = {"read_from": str(path), "length_unit": "angstrom"}
        (options,) = load_eval_options({"systems": systems, "targets": {"energy": stress}})
        dataset = read_dataset(options)
        return scan({"training": [dataset]}, {"training": [options]}, fit=fitter())

    return found


def of(found: Sequence[Finding], check: str) -> list[Finding]:
    return [one for one in found if one.check == check]


def test_right_labels_are_fine_and_swapped_shear_of_one_group_is_wrong(
    two_groups: Frames, found: Callable[[Frames], list[Finding]]
) -> None:
    said = found(two_groups)
    assert [one.severity for one in of(said, CHECKS[0])] == ["fine", "fine"]
    assert not [one for check in CHECKS[1:] for one in of(said, check)]

    spoilt = copy.deepcopy(two_groups)
    for atoms in spoilt[30:]:
        atoms.calc.results["stress"] = atoms.calc.results["stress"][[0, 1, 2, 4, 3, 5]]
    wrong, fine = of(found(spoilt), CHECKS[0])
    assert (wrong.severity, fine.severity) == ("wrong", "fine")
    assert "config_type alloy (30 frames)" in wrong.what
    assert "the six numbers are xx yy zz xz yz xy" in wrong.what
    assert list(wrong.places[0].frames) == list(range(30, 60))


def test_forces_of_the_wrong_sign_disagree_with_energies(
    two_groups: Frames, found: Callable[[Frames], list[Finding]]
) -> None:
    spoilt = copy.deepcopy(two_groups)
    for atoms in spoilt:
        atoms.calc.results["forces"] = -atoms.calc.results["forces"]
    said = of(found(spoilt), CHECKS[2])
    assert said
    assert all(one.severity == "wrong" and "reverse the sign" in one.advice for one in said)

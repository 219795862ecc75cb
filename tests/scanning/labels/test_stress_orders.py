"""Order and signs of the six components of stresses, decided among all that is possible."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import permutations
from typing import Any

import ase
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import GPa

CHECK = "stress against energies"
STRESS = {"key": "energy", "unit": "eV", "forces": True, "stress": True}
VIRIAL = {"key": "energy", "unit": "eV", "forces": True, "virial": {"key": "stress"}}
NAMES = np.array(["xx", "yy", "zz", "yz", "xz", "xy"])
Frames = list[ase.Atoms]
Found = Callable[..., list[Any]]


def write(frames: Frames, order: tuple[int, ...], signs: Any = 1.0) -> Frames:
    """Copies whose six numbers are the components ``order``, times ``signs``."""
    done = copy.deepcopy(frames)
    for atoms in done:
        given = atoms.calc.results["stress"][list(order)]
        atoms.calc.results["stress"] = given * signs
    return done


def elastic(strains: list[np.ndarray], rattle: float = 0.0) -> Frames:
    """Cu3Au in strained cells, with the labels of EMT."""
    generator = np.random.default_rng(4)
    start = bulk("Cu", cubic=True)
    start.numbers[0] = 79
    found = []
    for strain in strains:
        atoms = start.copy()
        atoms.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
        atoms.rattle(rattle, rng=generator)
        atoms.calc = EMT()
        names = ("energy", "forces", "stress")
        results = {name: atoms.calc.get_property(name, atoms) for name in names}
        atoms.calc = SinglePointCalculator(atoms, **results)
        found.append(atoms)
    return found


@pytest.fixture(scope="module")
def volumes() -> Frames:
    """Fourteen volumes of one crystal, whose atoms are a little off their places."""
    return elastic([x * np.eye(3) for x in np.linspace(-0.03, 0.03, 14)], rattle=0.02)


@pytest.mark.parametrize("shear", list(permutations((3, 4, 5)))[1:])
def test_each_wrong_order_of_shear_components_is_named(
    crystal: Frames, found: Found, shear: tuple[int, ...]
) -> None:
    order = (0, 1, 2, *shear)
    (one,) = found(write(crystal, order), CHECK, energy=STRESS)
    assert one.severity == "wrong"
    assert "in another order" in one.what
    assert f"the six numbers are {' '.join(NAMES[list(order)])}" in one.what
    assert "xx yy zz yz xz xy, or as a matrix" in one.advice
    assert ("VASP" in one.what) == (shear == (5, 3, 4))


def test_rows_of_a_triangle_are_named(crystal: Frames, found: Found) -> None:
    (one,) = found(write(crystal, (0, 5, 4, 1, 3, 2)), CHECK, energy=STRESS)
    assert (one.severity, "rows of the upper triangle" in one.what) == ("wrong", True)


@pytest.mark.parametrize(
    ("signs", "said"),
    [
        ((1, 1, 1, -1, 1, 1), "yz of the stress has the wrong sign"),
        ((1, 1, 1, 1, -1, 1), "xz of the stress has the wrong sign"),
        ((1, 1, 1, 1, -1, -1), "xz and xy of the stress have the wrong sign"),
        ((1, 1, 1, -1, -1, -1), "yz, xz and xy of the stress have the wrong sign"),
        ((-1, -1, -1, 1, 1, 1), "xx, yy and zz of the stress have the wrong sign"),
        ((-1, -1, -1, -1, -1, -1), "the stress has the wrong sign:"),
    ],
)
def test_each_wrong_sign_is_named(
    crystal: Frames, found: Found, signs: tuple[int, ...], said: str
) -> None:
    (one,) = found(write(crystal, range(6), signs), CHECK, energy=STRESS)  # type: ignore[arg-type]
    assert one.severity == "wrong"
    assert said in one.what
    assert "positive under tension" in one.advice


@pytest.mark.parametrize(
    ("factor", "advice"),
    [(2.0, "given twice"), (2**0.5, "Mandel"), (1 / GPa, "shear components would fit GPa")],
)
def test_shear_components_of_another_size_are_wrong(
    crystal: Frames, found: Found, factor: float, advice: str
) -> None:
    signs = (1, 1, 1, factor, factor, factor)
    (one,) = found(write(crystal, range(6), signs), CHECK, energy=STRESS)  # type: ignore[arg-type]
    assert one.severity == "wrong"
    assert "shear components of the stress have another unit than the others" in one.what
    assert advice in one.advice


def test_a_wrong_order_is_found_in_another_unit_of_the_other_sign(
    crystal: Frames, found: Found
) -> None:
    (one,) = found(write(crystal, (0, 1, 2, 5, 3, 4), -10 / GPa), CHECK, energy=STRESS)
    assert "xx yy zz xy yz xz" in one.what
    assert "xx, yy, zz, yz, xz and xy reversed" in one.what
    assert "kbar" in one.advice


def test_a_wrong_order_is_found_in_a_virial(crystal: Frames, found: Found) -> None:
    frames = write(crystal, (0, 1, 2, 4, 3, 5))
    for atoms in frames:
        atoms.calc.results["stress"] *= -atoms.get_volume()
    (one,) = found(frames, CHECK, energy=VIRIAL)
    assert "the components of the virial are in another order" in one.what
    (one,) = found(frames, CHECK, energy=STRESS)
    assert "looks like a virial" in one.what
    assert "xx yy zz xz yz xy" in one.advice


def test_volumes_alone_do_not_decide_shear(volumes: Frames, found: Found) -> None:
    for order in (range(6), (0, 1, 2, 5, 3, 4)):
        (one,) = found(write(volumes, order), CHECK, energy=STRESS)  # type: ignore[arg-type]
        assert one.severity == "note"
        assert "cannot be decided from these data" in one.what
        assert all(name in one.what for name in NAMES)
        assert "sheared along one axis" in one.advice


def test_one_sheared_pair_of_axes_leaves_the_others_open(found: Found) -> None:
    strains = [np.diag(d) for d in 0.01 * np.random.default_rng(1).normal(size=(15, 3))]
    sheared = [np.array([[0, x, 0], [0, 0, 0], [0, 0, 0]]) for x in np.linspace(-0.04, 0.04, 9)]
    frames = elastic([*strains, *sheared], rattle=0.01)
    (one,) = found(frames, CHECK, energy=STRESS)
    assert one.severity == "note"
    assert "whether yz and xz of the stress" in one.what
    assert "xx, yy, zz and xy are right" in one.what


def test_shear_that_short_steps_do_not_have_is_decided_by_longer_ones(found: Found) -> None:
    """Volumes in steps of 0.3 %, where any order is right, and large shears."""
    small = [x * np.eye(3) for x in np.linspace(-0.02, 0.02, 14)]
    large = []
    for i, j in ((0, 1), (0, 2), (1, 2)):
        for x in np.linspace(-0.06, 0.06, 9):
            strain = np.diag([0.01, -0.01, 0.02]) * x * 20
            strain[i, j] = x
            large.append(strain)
    frames = elastic([*small, *large])
    (one,) = found(write(frames, (0, 1, 2, 5, 3, 4)), CHECK, energy=STRESS)
    assert "the order of VASP" in one.what
    (one,) = found(frames, CHECK, energy=STRESS)
    assert one.severity == "fine"


def test_a_crystal_that_is_turned_is_read_alike(crystal: Frames, found: Found) -> None:
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    frames = copy.deepcopy(crystal)
    for atoms in frames:
        results = dict(atoms.calc.results)
        xx, yy, zz, yz, xz, xy = results["stress"]
        full = turn.T @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ turn
        atoms.set_cell(atoms.cell @ turn)
        atoms.positions = atoms.positions @ turn
        results["forces"] = results["forces"] @ turn
        results["stress"] = full[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        atoms.calc = SinglePointCalculator(atoms, **results)
    (one,) = found(frames, CHECK, energy=STRESS)
    assert one.severity == "fine"
    (one,) = found(write(frames, (0, 1, 2, 4, 3, 5)), CHECK, energy=STRESS)
    assert "xx yy zz xz yz xy" in one.what


def test_crystals_with_one_atom_are_looked_at(found: Found) -> None:
    generator = np.random.default_rng(5)
    frames = []
    for _ in range(25):
        atoms = bulk("Cu")
        atoms.set_cell(
            atoms.cell @ (np.eye(3) + generator.normal(0, 0.01, (3, 3))), scale_atoms=True
        )
        atoms.calc = EMT()
        results = {
            name: atoms.calc.get_property(name, atoms) for name in ("energy", "forces", "stress")
        }
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    (one,) = found(frames, CHECK, energy=STRESS)
    assert one.severity == "fine"
    (one,) = found(write(frames, (0, 1, 2, 3, 5, 4)), CHECK, energy=STRESS)
    assert "xx yy zz yz xy xz" in one.what

"""Energies of isolated atoms against the structures that are made of such atoms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ase
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Hartree

CHECK = "isolated atoms"
ENERGY = {"key": "energy", "unit": "eV", "forces": False}
ATOMS = {"H": -13.6, "C": -1029.0, "O": -2041.0}
VALENCE = {"H": -12.5, "C": -146.0, "O": -432.0}
Found = Callable[..., list[Any]]
FramesOf = Callable[[Any], dict[str, list[int]]]


def data(
    formulas: list[str], atoms: dict[str, float], isolated: dict[str, float], **cell: Any
) -> list[ase.Atoms]:
    """Molecules bound by 4 eV per atom, then isolated atoms."""
    generator = np.random.default_rng(6)
    found = []
    for formula in formulas * 6:
        one = ase.Atoms(formula)
        one.positions = 1.4 * np.argwhere(np.ones((3, 3, 2)))[: len(one)]
        one.rattle(0.05, rng=generator)
        energy = sum(atoms[symbol] - 4.0 for symbol in one.symbols) + generator.normal(0.0, 0.1)
        one.calc = SinglePointCalculator(one, energy=energy)
        found.append(one)
    for symbol, energy in isolated.items():
        one = ase.Atoms(symbol, **cell)
        one.calc = SinglePointCalculator(one, energy=energy)
        found.append(one)
    return found


@pytest.fixture
def judged(found: Found) -> Found:
    """What is said of the energies of isolated atoms."""

    def judged(frames: list[ase.Atoms]) -> list[Any]:
        return [one for one in found(frames, CHECK, energy=ENERGY) if one.severity != "note"]

    return judged


@pytest.mark.parametrize("formulas", [["C2H6O"], ["C2H6O", "CH4", "H2O", "CO2"]])
@pytest.mark.parametrize("atoms", [ATOMS, VALENCE])
def test_atoms_that_structures_are_bound_from_are_right(
    judged: Found, formulas: list[str], atoms: dict[str, float]
) -> None:
    assert judged(data(formulas, atoms, atoms)) == []
    assert (
        judged(
            data(
                formulas,
                {k: e - v for (k, e), v in zip(atoms.items(), atoms.values(), strict=True)},
                dict.fromkeys(atoms, 0.0),
            )
        )
        == []
    )


@pytest.mark.parametrize("formulas", [["C2H6O"], ["C2H6O", "CH4", "H2O", "CO2"]])
@pytest.mark.parametrize("energy", [0.0, -432.0, -2041.0 / Hartree])
def test_an_atom_of_another_reference_is_named_with_what_is_needed(
    judged: Found, frames_of: FramesOf, formulas: list[str], energy: float
) -> None:
    frames = data(formulas, ATOMS, ATOMS | {"O": energy})
    (one,) = judged(frames)
    assert one.severity == "wrong"
    assert f"O has {energy:.6g} where about -20" in one.what
    assert "H has" not in one.what
    assert frames_of(one) == {"training": [len(frames) - 1]}
    assert one.number == pytest.approx(abs(-2041.0 - energy), abs=10.0)
    assert ("an energy of 0 is a reference" in one.advice) == (energy == 0.0)


def test_an_atom_of_which_only_some_structures_are_made_is_named(
    judged: Found, frames_of: FramesOf
) -> None:
    (one,) = judged(data(["CH4", "C2H6O"], VALENCE, VALENCE | {"O": -2041.0}))
    assert "O has -2041 where about -42" in one.what


def test_atoms_in_another_unit_are_named_together(judged: Found, frames_of: FramesOf) -> None:
    (one,) = judged(data(["C2H6O"], VALENCE, {k: e / Hartree for k, e in VALENCE.items()}))
    assert one.severity == "wrong"
    assert "H has -0.459367, C has -5.3654, O has -15.8757" in one.what
    assert frames_of(one) == {"training": [6, 7, 8]}
    assert "they would fit in Hartree" in one.advice


@pytest.mark.parametrize(("shift", "said"), [(-6.0, "have more than they"), (9.0, "have less")])
def test_structures_that_are_not_bound_or_too_much_are_suspicious(
    judged: Found, shift: float, said: str
) -> None:
    (one,) = judged(data(["C2H6O"], ATOMS, {k: e + shift for k, e in ATOMS.items()}))
    assert (one.severity, said in one.what) == ("suspicious", True)
    assert one.number == pytest.approx(-4.0 - shift, abs=0.2)


def test_only_atoms_far_from_their_images_are_isolated(judged: Found) -> None:
    wrong = ATOMS | {"O": 0.0}
    assert len(judged(data(["C2H6O"], ATOMS, wrong, cell=[12, 12, 12], pbc=True))) == 1
    assert judged(data(["C2H6O"], ATOMS, {"O": 0.0}, cell=[3, 3, 3], pbc=True)) == []


def test_an_atom_that_no_compositions_are_complete_for_is_held_against_its_electrons(
    judged: Found,
) -> None:
    (one,) = judged(data(["C2H6O"], ATOMS, {"O": -432.0}))
    assert "O has -432 where about -20" in one.what
    assert judged(data(["C2H6O"], ATOMS, {"O": -2041.0})) == []
    assert judged(data(["C2H6O"], VALENCE, {"O": -300.0})) == []  # nothing says so

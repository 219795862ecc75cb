"""Sign, unit and kind of stresses, told from how energies change with the cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ase
import pytest
from ase.units import GPa

CHECK = "stress against energies"
STRESS = {"key": "energy", "unit": "eV", "forces": True, "stress": True}
VIRIAL = {"key": "energy", "unit": "eV", "forces": True, "virial": {"key": "stress"}}
Frames = list[ase.Atoms]
Found = Callable[..., list[Any]]
Relabel = Callable[..., None]


def test_a_stress_of_the_right_sign_and_unit_is_fine(
    crystal: Frames, found: Found, record_property: Callable[[str, object], None]
) -> None:
    (one,) = found(crystal, CHECK, energy=STRESS)
    assert one.severity == "fine"
    assert one.number == pytest.approx(1.0, abs=0.2)
    record_property(
        "energies change so many times as much as right stresses say", round(one.number, 3)
    )


@pytest.mark.parametrize(
    ("factor", "what", "advice"),
    [
        (-1.0, "the wrong sign", "positive under tension"),
        (1 / GPa, "another unit", "it would fit GPa for eV/Å³"),
        (-10 / GPa, "the wrong sign and another unit", "it would fit kbar for eV/Å³"),
    ],
)
def test_a_stress_of_another_sign_or_unit_is_wrong(
    crystal: Frames, found: Found, relabel: Relabel, factor: float, what: str, advice: str
) -> None:
    for atoms in crystal:
        relabel(atoms, stress=lambda stress: factor * stress)
    (one,) = found(crystal, CHECK, energy=STRESS)
    assert one.severity == "wrong"
    assert f"the stress has {what}:" in one.what
    assert advice in one.advice


def test_a_virial_that_is_given_as_stress_is_wrong(
    crystal: Frames, found: Found, relabel: Relabel
) -> None:
    for atoms in crystal:
        relabel(atoms, stress=lambda stress: -stress * atoms.get_volume())  # noqa: B023
    (one,) = found(crystal, CHECK, energy=STRESS)
    assert (one.severity, one.advice) == ("wrong", "name it virial in the options")
    (one,) = found(crystal, CHECK, energy=VIRIAL)
    assert one.severity == "fine"


def test_a_stress_that_is_given_as_virial_is_wrong(crystal: Frames, found: Found) -> None:
    (one,) = found(crystal, CHECK, energy=VIRIAL)
    assert (one.severity, one.advice) == ("wrong", "name it stress in the options")
    assert "with the sign reversed" not in one.what


def test_wrong_forces_do_not_spoil_what_is_said_of_stresses(
    crystal: Frames, found: Found, relabel: Relabel
) -> None:
    for atoms in crystal:
        relabel(atoms, forces=lambda forces: -30 * forces)
    (one,) = found(crystal, CHECK, energy=STRESS)
    assert one.severity == "fine"


def test_frames_of_one_cell_decide_nothing_about_stresses(
    crystal: Frames, found: Found, keep_labels: Callable[[ase.Atoms], None]
) -> None:
    for atoms in crystal:
        atoms.set_cell(crystal[0].cell, scale_atoms=True)
        keep_labels(atoms)
    (one,) = found(crystal, CHECK, energy=STRESS)
    assert one.severity == "note"
    assert "cannot be decided: too few pairs of similar structures in different cells" in one.what

"""Sign and unit of forces, told from how energies change between similar structures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ase
import pytest
from ase.units import Bohr, Hartree, kcal, kJ, mol

CHECK = "forces against energies"
Frames = list[ase.Atoms]
Found = Callable[..., list[Any]]
Relabel = Callable[..., None]
Keep = Callable[[ase.Atoms], None]


def test_forces_of_the_right_sign_and_unit_are_fine(
    cluster: Frames, found: Found, record_property: Callable[[str, object], None]
) -> None:
    (one,) = found(cluster, CHECK)
    assert one.severity == "fine"
    assert one.number == pytest.approx(1.0, abs=0.15)
    record_property(
        "energies change so many times as much as right forces say", round(one.number, 3)
    )


@pytest.mark.parametrize(
    ("factor", "explained"),
    [
        (-1.0, "reverse their sign"),
        (Bohr / Hartree, "energies in eV, forces in Hartree/a₀"),
        (1 / Hartree, "energies in eV, forces in Hartree/Å"),
        (mol / kcal, "energies in eV, forces in kcal/mol/Å"),
        (-mol / kJ, "reverse their sign; it would fit energies in eV, forces in kJ/mol/Å"),
    ],
)
def test_forces_of_another_sign_or_unit_are_wrong_and_the_units_are_named(
    cluster: Frames, found: Found, relabel: Relabel, factor: float, explained: str
) -> None:
    for atoms in cluster:
        relabel(atoms, forces=lambda forces: factor * forces)
    (one,) = found(cluster, CHECK)
    assert one.severity == "wrong"
    assert one.number == pytest.approx(1 / factor, rel=0.15)
    assert explained in one.advice
    assert one.places[0].frames == ()  # all of them


def test_energies_of_another_unit_are_named_too(
    cluster: Frames, found: Found, relabel: Relabel
) -> None:
    for atoms in cluster:
        relabel(atoms, energy=lambda energy: energy / Hartree)
    (one,) = found(cluster, CHECK)
    assert one.severity == "wrong"
    assert "energies in Hartree, forces in eV/Å" in one.advice


def test_units_that_the_options_name_are_what_labels_are_held_against(
    cluster: Frames, found: Found, relabel: Relabel, keep_labels: Keep
) -> None:
    for atoms in cluster:
        relabel(atoms, energy=lambda e: e / Hartree, forces=lambda f: f / Hartree * Bohr)
        atoms.positions /= Bohr
        keep_labels(atoms)
    energy = {"key": "energy", "unit": "Hartree", "forces": True}
    (one,) = found(cluster, CHECK, energy=energy, length_unit="bohr")
    assert one.severity == "fine"


def test_labels_of_other_structures_are_suspicious(
    cluster: Frames, found: Found, relabel: Relabel
) -> None:
    energies = [atoms.calc.results["energy"] for atoms in cluster]
    for i, atoms in enumerate(cluster):
        atoms.calc.results["energy"] = energies[i - 1]
    (one,) = found(cluster, CHECK)
    assert one.severity == "suspicious"
    assert "do not say how energy changes" in one.what


def test_changing_cells_are_accounted_for_by_stresses(
    crystal: Frames, found: Found, relabel: Relabel
) -> None:
    energy = {"key": "energy", "unit": "eV", "forces": True, "stress": True}
    (one,) = found(crystal, CHECK, energy=energy)
    assert one.severity == "fine"
    for atoms in crystal:
        relabel(atoms, forces=lambda forces: -forces)
    (one,) = found(crystal, CHECK, energy=energy)
    assert (one.severity, "the wrong sign" in one.what) == ("wrong", True)


def test_a_few_unlike_frames_decide_nothing_and_it_says_so(
    cluster: Frames, found: Found, keep_labels: Keep
) -> None:
    for i, atoms in enumerate(cluster[:6]):
        atoms.positions[i] += 30.0
        keep_labels(atoms)
    (one,) = found(cluster[:6], CHECK)
    assert one.severity == "note"
    assert "cannot be decided: too few pairs of similar structures" in one.what

"""Labels that are zero, constant, out of balance, or far from all others."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import ase
import numpy as np
import pytest

Frames = list[ase.Atoms]
Found = Callable[..., list[Any]]
Relabel = Callable[..., None]
Keep = Callable[[ase.Atoms], None]
FramesOf = Callable[[Any], dict[str, list[int]]]
STRESS = {"key": "energy", "unit": "eV", "forces": True, "stress": True}


def test_zero_forces_are_found_with_their_frames(
    cluster: Frames, found: Found, relabel: Relabel, frames_of: FramesOf
) -> None:
    for i in (5, 17):
        relabel(cluster[i], forces=np.zeros_like)
    (one,) = found(cluster, "zero labels")
    assert (one.severity, one.number, frames_of(one)) == ("suspicious", 2, {"training": [5, 17]})


@pytest.mark.parametrize("label", ["energy", "forces", "stress"])
def test_labels_that_are_zero_in_every_frame_are_reported(
    crystal: Frames, found: Found, relabel: Relabel, label: str
) -> None:
    for atoms in crystal:
        relabel(atoms, **{label: lambda value: 0.0 * value})
    (one,) = found(crystal, "zero labels", energy=STRESS)
    # the forces in perfect crystals are zero
    assert one.severity == ("suspicious" if label == "forces" else "wrong")
    assert "zero in every frame" in one.what


def test_forces_of_fixed_atoms_are_suspicious(
    cluster: Frames, found: Found, relabel: Relabel
) -> None:
    for atoms in cluster:
        relabel(atoms, forces=lambda forces: forces * (np.arange(8) > 1)[:, None])
    (zeros,) = found(cluster, "zero labels")
    assert (zeros.severity, zeros.number, zeros.unit) == ("suspicious", 80, "atoms")
    assert "held fixed" in zeros.advice
    assert any("add up to zero" in one.what for one in found(cluster, "balance of forces"))


def test_an_energy_that_never_changes_is_wrong(
    cluster: Frames, found: Found, relabel: Relabel
) -> None:
    for atoms in cluster:
        relabel(atoms, energy=lambda _: -3.5)
    (one,) = found(cluster, "constant labels")
    assert (one.severity, one.number, one.unit) == ("wrong", -3.5, "eV")
    relabel(cluster[0], energy=lambda _: -3.0)
    (one,) = found(cluster, "constant labels")
    assert (one.severity, one.what) == ("suspicious", "energy is -3.5 in 39 of 40 structures")


def test_energies_that_repeat_the_one_before_are_suspicious(
    cluster: Frames, found: Found, frames_of: FramesOf
) -> None:
    for i in range(1, 12, 2):
        cluster[i].calc.results["energy"] = cluster[i - 1].calc.results["energy"]
    (one,) = found(cluster, "constant labels")
    assert one.severity == "suspicious"
    assert frames_of(one) == {"training": list(range(12))}


def test_a_lost_component_of_forces_is_wrong(
    cluster: Frames, found: Found, relabel: Relabel
) -> None:
    for atoms in cluster:
        relabel(atoms, forces=lambda forces: forces * [1, 1, 0])
    (one,) = found(cluster, "constant labels")
    assert (one.severity, "the z component" in one.what) == ("wrong", True)


def test_a_net_force_is_suspicious(
    cluster: Frames, found: Found, relabel: Relabel, frames_of: FramesOf
) -> None:
    relabel(cluster[9], forces=lambda forces: forces + np.array([0.4, 0.0, 0.0]))
    (one,) = found(cluster, "balance of forces")
    assert one.severity == "suspicious"
    assert frames_of(one) == {"training": [9]}


def test_forces_of_a_turned_molecule_are_suspicious(
    cluster: Frames, found: Found, keep_labels: Keep, frames_of: FramesOf
) -> None:
    for i in (3, 8):
        cluster[i].rotate(90, "z")
        keep_labels(cluster[i])
    (one,) = found(cluster, "balance of forces")
    assert "turn molecules as a whole" in one.what
    assert frames_of(one) == {"training": [3, 8]}


def test_energies_and_forces_far_from_all_others_are_suspicious(
    cluster: Frames, found: Found, relabel: Relabel, frames_of: FramesOf
) -> None:
    relabel(cluster[6], energy=lambda energy: energy + 30.0)
    relabel(cluster[31], forces=lambda forces: 100.0 * forces)
    energy, forces = found(cluster, "outliers")
    assert frames_of(energy) == {"training": [6]}
    assert energy.number == pytest.approx(30.0 / 8, abs=0.3)
    assert energy.unit == "eV per atom"
    assert frames_of(forces) == {"training": [31]}
    assert forces.unit == "eV/Å"


def test_a_volume_far_from_all_others_is_noted(
    crystal: Frames, found: Found, keep_labels: Keep, frames_of: FramesOf
) -> None:
    crystal[2].set_cell(crystal[2].cell * [1, 1, 6])
    keep_labels(crystal[2])
    (one,) = [one for one in found(crystal, "outliers") if "volume" in one.what]
    assert (one.severity, frames_of(one)) == ("note", {"training": [2]})


def test_missing_labels_are_counted(
    cluster: Frames, found: Found, relabel: Relabel, frames_of: FramesOf
) -> None:
    relabel(cluster[7], forces=lambda forces: forces * np.nan)
    (one,) = found(cluster, "labels there")
    assert one.what == "forces of energy: 39 of 40 structures have all of it"
    assert frames_of(one) == {"training": [7]}


def test_good_data_have_nothing_wrong_or_suspicious(
    cluster: Frames, crystal: Frames, found: Found, record_property: Callable[[str, object], None]
) -> None:
    for frames, energy in ((cluster, {"key": "energy", "forces": True}), (crystal, STRESS)):
        parts = {"training": [frames[:-5]], "validation": [copy.deepcopy(frames[-5:])]}
        said = found(parts, energy=energy, cutoff=4.0)
        assert [one for one in said if one.severity != "note"] == []
    record_property("structures without a false alarm", len(cluster) + len(crystal))

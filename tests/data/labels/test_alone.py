"""Energies that a file does not have: forces alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mtt.data.labels.alone import looks_like_energy
from mtt.data.read import read_frames
from mtt.options import DatasetOptions

Make = Callable[..., DatasetOptions]
FORCES = np.ones((2, 3))


@pytest.mark.parametrize("implied", [True, False])
def test_forces_without_any_energy_are_read_and_said(
    file, energy_options: Make, h2, implied: bool
) -> None:
    path = file(h2(forces=FORCES, note="x"), h2(forces=FORCES))
    options = energy_options(path, forces=("forces", not implied), stress=("stress", False))
    frames, info, notices = read_frames(options)
    assert info.targets["energy"].gradients == ("positions",)
    assert all(np.isnan(frame.labels["energy"].values).all() for frame in frames)
    np.testing.assert_array_equal(frames[1].labels["energy"].forces, FORCES)
    assert notices == (
        f"{path}: no 'energy' in any structure: energy has forces alone here, which do "
        "not determine its constant",
    )


@pytest.mark.parametrize("name", ["REF_energy", "Energy", "E", "myE", "E_pbe", "TOTEN", "U0", "e0"])
def test_a_key_that_may_be_the_energy_makes_a_lacking_one_a_mistake(
    file, energy_options: Make, h2, refuse, name: str
) -> None:
    path = file(h2(forces=FORCES, **{name: 1.0}))
    text = refuse(energy_options(path, forces=("forces", True)))
    assert text.startswith("set.xyz: no 'energy' in any structure, for targets.energy")
    assert f"'{name}'" in text


def test_other_numbers_are_not_taken_for_energies() -> None:
    for name in ("charge", "energy_tolerance", "E_fermi", "temperature", "config_weight", "epsgap"):
        assert not looks_like_energy(name, 1.0)
    assert not looks_like_energy("energy", [1.0, 2.0])
    assert not looks_like_energy("energy_unit", "eV")


def test_a_mistyped_key_is_a_mistake_whatever_forces_there_are(
    file, energy_options: Make, h2, refuse
) -> None:
    path = file(h2(forces=FORCES))
    text = refuse(energy_options(path, key="REF_energy", forces=("forces", True)))
    assert "no 'REF_energy' in any structure, for targets.energy (keys per structure: none)" in text
    assert "key: false learns from forces or stress alone" in text


def test_false_for_a_key_reads_no_energy_even_where_there_is_one(
    file, energy_options: Make, h2, refuse
) -> None:
    path = file(h2(forces=FORCES, energy=1.0))
    frames, _, (notice,) = read_frames(energy_options(path, key="", forces=("forces", True)))
    assert np.isnan(frames[0].labels["energy"].values).all()
    assert notice == f"{path}: energy has forces alone here, which do not determine its constant"
    nothing = refuse(energy_options(path, key="", forces=("f", False)))
    assert "neither energies nor forces, stress or virial for targets.energy" in nothing


def test_energies_that_are_all_nan_leave_the_forces(file, energy_options: Make, h2) -> None:
    path = file(h2(forces=FORCES, E=np.nan))
    _, info, (notice,) = read_frames(energy_options(path, key="E", forces=("forces", True)))
    assert info.targets["energy"].has_forces
    assert notice.startswith(f"{path}: every 'E' is NaN, a missing label: energy has forces alone")


def test_energies_that_some_frames_lack_stay_a_mistake(
    file, energy_options: Make, h2, refuse
) -> None:
    path = file(h2(forces=FORCES), h2(forces=FORCES, energy=1.0))
    assert "frame 0: no 'energy' for targets.energy" in refuse(
        energy_options(path, forces=("forces", True))
    )


def test_a_target_other_than_an_energy_is_never_left_out(
    file, energy_options: Make, h2, refuse
) -> None:
    options = energy_options(file(h2(forces=FORCES)), forces=("forces", True))
    gap = replace(options.targets["energy"], quantity="", key="gap", forces=None)
    assert "no 'gap' in any structure" in refuse(replace(options, targets={"mtt::gap": gap}))

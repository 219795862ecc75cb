"""Real data, where they are at hand: nothing is wrong with good ones, and what is, is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase
import ase.io
import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
ENERGY = {"key": "energy", "unit": "eV", "forces": True}
STRESS = "stress against energies"
Found = Callable[..., list[Any]]


def frames(path: str) -> list[ase.Atoms]:
    if not (SHARED / path).exists():
        pytest.skip(f"{SHARED / path} is not there")
    found: list[ase.Atoms] = ase.io.read(SHARED / path, ":")
    return found


@pytest.mark.parametrize(
    ("path", "stress"),
    [
        ("data/acac/train_300K.xyz", False),
        ("data/ethanol/train.xyz", False),
        ("data/3bpa/train_300K.xyz", False),
        ("data/silicon/train.xyz", True),
    ],
)
def test_good_data_raise_no_alarm(path: str, stress: bool, found_in_files: Found) -> None:
    said = found_in_files(frames(path), energy=ENERGY | {"stress": stress})
    assert [one.what for one in said if one.severity in ("wrong", "suspicious")] == []


def test_silicon_as_published_is_fine_in_its_elastic_frames_alone(found_in_files: Found) -> None:
    published = frames("cases/stress-groups/silicon-as-published.xyz.gz")
    said = found_in_files(published, STRESS, energy=ENERGY | {"stress": True})
    fine, note = sorted(said, key=lambda one: one.severity)
    assert fine.what.startswith("config_type Elastic (55 frames): energy changes 1.00 times")
    assert "AIMD-NVT (90 frames), Vacancy (57) and Surface (12)" in note.what
    assert (fine.severity, note.severity) == ("fine", "note")


@pytest.mark.parametrize(("name", "severity"), [("right", "fine"), ("vasporder", "wrong")])
def test_the_order_of_vasp_is_found_in_elastic_frames(
    name: str, severity: str, found_in_files: Found
) -> None:
    elastic = frames(f"cases/stress-order/{name}.xyz")
    (one,) = found_in_files(elastic, STRESS, energy=ENERGY | {"stress": {"key": "my_stress"}})
    assert one.severity == severity
    assert ("the order of VASP" in one.what) == (severity == "wrong")

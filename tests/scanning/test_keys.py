"""Keys in files that are not read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
import pytest

from mtt.data import pack, read_dataset
from mtt.options import load_eval_options
from mtt.scanning.keys import check_keys

Frames = list[ase.Atoms]


@pytest.fixture
def said(cluster: Frames, tmp_path: Path) -> Callable[..., list[Any]]:
    """``said(energy={...})``: of a file with more than one energy, force and stress."""
    for i, atoms in enumerate(cluster[:6]):
        atoms.arrays["REF_forces"] = np.ones((8, 3))
        atoms.info["dipole"] = np.ones(3)
        atoms.info["config_type"] = "hot"
        if i in (1, 4):
            atoms.info["REF_energy"] = -1.0
    path = tmp_path / "train.xyz"
    ase.io.write(path, cluster[:6])

    def said(read_from: Path = path, **energy: Any) -> list[Any]:
        target = {"key": "energy", "unit": "eV", "forces": True, **energy}
        options = load_eval_options({"systems": str(read_from), "targets": {"energy": target}})
        return list(check_keys({"training": options}))

    return said


def test_labels_that_are_not_read_are_noted(said: Callable[..., list[Any]]) -> None:
    dipole, forces, energy, others = sorted(said(), key=lambda one: "other" in one.what)
    named = {one.what.split("'")[1]: one for one in (dipole, forces, energy)}
    assert {one.severity for one in named.values()} == {"note"}
    assert "(3 numbers per atom)" in named["REF_forces"].what
    assert (named["REF_energy"].number, named["REF_energy"].unit) == (2, "of 6 structures")
    assert named["REF_energy"].places[0].frames == (1, 4)
    assert others.what == "other keys, which are not read: 'config_type'"


def test_forces_that_are_not_asked_for_are_suspicious(said: Callable[..., list[Any]]) -> None:
    suspicious = [one for one in said(forces=False) if one.severity == "suspicious"]
    assert {one.what.split("'")[1] for one in suspicious} == {"forces", "REF_forces"}
    assert "Name it in the options" in suspicious[0].advice


def test_a_default_key_that_the_file_lacks_reads_nothing(
    said: Callable[..., list[Any]], tmp_path: Path
) -> None:
    frames = ase.io.read(tmp_path / "train.xyz", ":")
    for atoms in frames:
        atoms.arrays["force"] = atoms.get_forces()
        atoms.calc.results.pop("forces")
        atoms.info["energy_tolerance"] = 1.0e-6  # a number, and no energy
        del atoms.arrays["REF_forces"]
    ase.io.write(tmp_path / "other.xyz", frames)
    target = {"key": "energy", "unit": "eV"}
    data = {"systems": str(tmp_path / "other.xyz"), "targets": {"energy": target}}
    found = list(check_keys({"training": load_eval_options(data)}))
    (one,) = [one for one in found if one.severity == "suspicious"]
    assert "'force' (3 numbers per atom)" in one.what


def test_labels_of_a_packed_data_set_count_too(
    said: Callable[..., list[Any]], tmp_path: Path
) -> None:
    target = {"key": "energy", "unit": "eV", "forces": True}
    file = str(tmp_path / "train.xyz")
    (options,) = load_eval_options({"systems": file, "targets": {"energy": target}})
    pack(read_dataset(options), tmp_path / "packed")
    assert said(tmp_path / "packed") == []
    (one,) = said(tmp_path / "packed", forces=False)
    assert one.what == "'forces' is in the packed data set and not read"

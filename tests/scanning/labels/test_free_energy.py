"""Two energies beside one another, and the one that the forces are derivatives of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
import pytest

from mtt.data import read_dataset
from mtt.options import load_eval_options
from mtt.scanning import Finding, scan

Frames = list[ase.Atoms]


@pytest.fixture
def said(tmp_path: Path) -> Callable[..., list[Finding]]:
    """``said(frames, key="energy")``: all that a scan says of a file."""

    def said(frames: Frames, **energy: Any) -> list[Finding]:
        path = tmp_path / "train.xyz"
        ase.io.write(path, frames)
        target = {"key": "energy", "unit": "eV", **energy}
        systems = {"read_from": str(path), "length_unit": "angstrom"}
        options = load_eval_options({"systems": systems, "targets": {"energy": target}})
        return scan({"training": [read_dataset(one) for one in options]}, {"training": options})

    return said


def second(frames: Frames, name: str, size: float) -> Frames:
    """With another energy, that of the forces plus noise of ``size`` eV."""
    generator = np.random.default_rng(5)
    for atoms in frames:
        noise = size * generator.normal()
        atoms.info[name] = atoms.calc.results["energy"] + noise
    return frames


def about_energies(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.severity, one.what) for one in found if one.check == "energy of the forces"]


@pytest.mark.parametrize("name", ["free_energy", "E_free", "dft_energy"])
def test_the_energy_that_is_not_read_is_named_where_the_forces_are_its(
    crystal: Frames, said: Callable[..., list[Finding]], name: str
) -> None:
    for atoms in second(crystal, name, 0.2):
        swapped = atoms.info[name]
        atoms.info[name] = atoms.calc.results["energy"]
        atoms.calc.results["energy"] = swapped
    found = said(crystal)
    ((severity, what),) = about_energies(found)
    assert severity == "wrong"
    assert f"forces are derivatives of '{name}', and energy is read from 'energy'" in what
    assert [one.advice for one in found if one.severity == "wrong"] == [
        f"write key: {name} for energy"
    ]
    assert not [one for one in found if one.check == "forces against energies"]


def test_the_energy_that_is_read_is_confirmed(
    cluster: Frames, said: Callable[..., list[Finding]]
) -> None:
    found = said(second(cluster, "free_energy", 0.2))
    ((severity, what),) = about_energies(found)
    assert severity == "fine"
    assert "forces are derivatives of 'energy', which is read, not of 'free_energy'" in what
    assert not any("not read" in one.what for one in found)


def test_undecided_cases_are_reported(crystal: Frames, said: Callable[..., list[Finding]]) -> None:
    ((severity, what),) = about_energies(said(second(crystal[:4], "free_energy", 0.2)))
    assert severity == "note"
    assert "cannot be decided" in what


@pytest.mark.parametrize("size", [0.0, 1e-6])
def test_energies_that_do_not_differ_are_not_spoken_of(
    crystal: Frames, said: Callable[..., list[Finding]], size: float
) -> None:
    assert about_energies(said(second(crystal, "free_energy", size))) == []

"""Solids that are read as molecules: the cause is named, and not the units."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest

from mtt.data import read_dataset
from mtt.options import load_eval_options
from mtt.scanning import Finding, scan

Frames = list[ase.Atoms]
Scan = Callable[[Callable[[str], str]], list[Finding]]


@pytest.fixture
def spoilt(crystal: Frames, tmp_path: Path) -> Scan:
    """What a scan says of the crystal once the text of its file is changed."""

    def spoilt(change: Callable[[str], str]) -> list[Finding]:
        path = tmp_path / "train.xyz"
        ase.io.write(path, crystal)
        path.write_text(change(path.read_text()))
        systems = {"read_from": str(path), "length_unit": "angstrom"}
        targets = {"energy": {"unit": "eV"}}
        options = load_eval_options({"systems": systems, "targets": targets})
        return scan({"training": [read_dataset(one) for one in options]}, {"training": options})

    return spoilt


def said(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.check, one.severity) for one in found if one.severity in ("wrong", "suspicious")]


def test_a_cell_that_atoms_fill_without_periodicity_is_named(spoilt: Scan) -> None:
    found = spoilt(lambda text: text.replace('pbc="T T T"', 'pbc="F F F"'))
    assert said(found) == [("periodicity", "wrong")]
    assert "not periodic (pbc F F F): their stress is not used" in found[0].what
    assert len(found[0].places[0].frames) == 30


def test_so_it_is_without_a_stress(spoilt: Scan) -> None:
    def change(text: str) -> str:
        return text.replace('pbc="T T T"', 'pbc="F F F"').replace(" stress=", " s=")

    assert ("periodicity", "suspicious") in said(spoilt(change))


@pytest.mark.parametrize("key", ["lattice", "LATTICE"])
def test_a_misspelt_cell_is_named(spoilt: Scan, key: str) -> None:
    found = spoilt(lambda text: text.replace("Lattice=", f"{key}=").replace('pbc="T T T"', ""))
    assert said(found)[0] == ("spelling of keys", "wrong")
    assert f"{key!r} is not 'Lattice'" in found[0].what
    assert not any("unit" in one.what for one in found if one.severity != "fine")


def test_periodic_structures_and_molecules_in_a_box_are_fine(
    spoilt: Scan, cluster: Frames, crystal: Frames
) -> None:
    assert "periodicity" not in dict(said(spoilt(lambda text: text)))
    for atoms in cluster:
        atoms.set_cell(np.eye(3) * 30)
        atoms.calc.atoms = atoms.copy()
    crystal[:] = cluster
    assert "periodicity" not in dict(said(spoilt(lambda text: text)))

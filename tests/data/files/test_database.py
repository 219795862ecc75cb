"""ASE databases: labels under names of the user's own, per structure and per atom."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.db
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from mtt.data import read_dataset
from mtt.data.files.reader import Files
from mtt.errors import DataError
from mtt.options import load_eval_options
from mtt.scanning.keys import keys_of

NAMES = pytest.mark.parametrize("name", ["set.db", "set.json"])


@pytest.fixture
def database(tmp_path: Path) -> Callable[[str], Path]:
    """Water and copper with labels everywhere that a database has a place for them."""

    def write(name: str) -> Path:
        random = np.random.default_rng(1)
        path = tmp_path / name
        with ase.db.connect(path) as rows:
            for atoms in (molecule("H2O"), bulk("Cu", cubic=True), bulk("Cu")):
                n = len(atoms)
                results = {"energy": -float(n), "forces": random.normal(size=(n, 3))}
                atoms.calc = SinglePointCalculator(atoms, **results)
                data = {
                    "REF_forces": random.normal(size=(n, 3)),
                    "dipole_xyz": np.array([1.0, 2.0, 3.0]),
                    "hirshfeld": random.normal(size=n).tolist(),
                }
                if atoms.pbc.all():
                    data["REF_stress"] = np.diag([1.0, 2.0, 3.0])
                rows.write(atoms, key_value_pairs={"myE": -2.0 * n, "level": "PBE"}, data=data)
        return path

    return write


def read(path: Path, **targets: Any) -> Any:
    (options,) = load_eval_options({"systems": str(path), "targets": targets})
    return read_dataset(options)


@NAMES
def test_labels_of_key_value_pairs_and_data_are_read_per_structure_and_per_atom(
    database: Callable[[str], Path], name: str
) -> None:
    path = database(name)
    energy = {"key": "myE", "forces": {"key": "REF_forces"}, "stress": {"key": "REF_stress"}}
    per_atom = {"quantity": "", "key": "hirshfeld", "sample_kind": "atom"}
    dipole = {"quantity": "", "key": "dipole_xyz", "num_subtargets": 3}
    found = read(path, energy=energy, **{"mtt::h": per_atom, "mtt::dipole": dipole})
    rows = [row.data for row in ase.db.connect(path).select()]
    target = found.target("energy")
    assert target.values[:, 0].tolist() == [-6.0, -8.0, -2.0]
    assert np.array_equal(target.forces, np.concatenate([row["REF_forces"] for row in rows]))
    assert target.strain[0].isnan().all()
    stress = target.strain[1] / found.volumes[1]
    assert np.allclose(stress.numpy(), np.diag([1.0, 2.0, 3.0]))
    charges = np.concatenate([row["hirshfeld"] for row in rows])
    assert np.array_equal(found.target("mtt::h").values[:, 0], charges)
    assert found.target("mtt::dipole").values.tolist() == [[1.0, 2.0, 3.0]] * 3


@NAMES
def test_results_of_the_calculator_are_read_as_before(
    database: Callable[[str], Path], name: str
) -> None:
    found = read(database(name), energy={"stress": False}).target("energy")
    assert found.values[:, 0].tolist() == [-3.0, -4.0, -1.0]
    assert found.forces.shape == (8, 3)


def test_all_keys_of_a_database_are_listed(database: Callable[[str], Path]) -> None:
    keys = {(key.name, key.per_atom): key for key in keys_of(Files().read(str(database("a.db"))))}
    assert {"myE", "energy", "level", "REF_stress"} <= {name for name, atoms in keys if not atoms}
    assert {"REF_forces", "forces", "hirshfeld"} <= {name for name, atoms in keys if atoms}
    assert keys["REF_forces", True].frames == (0, 1, 2)
    assert keys["myE", False].shape == "a number"
    assert "unique_id" not in {name for name, _ in keys}


def test_a_value_that_the_database_holds_twice_is_refused_where_it_is_read(
    tmp_path: Path,
) -> None:
    water = molecule("H2O")
    with ase.db.connect(tmp_path / "two.db") as rows:
        rows.write(water, key_value_pairs={"E": -1.0}, data={"E": -2.0, "F": np.zeros((3, 3))})
    text = "two.db, frame 0: 'E' for targets.energy is there twice: -1. in .*, -2. in .*; keep the"
    with pytest.raises(DataError, match=text):
        read(tmp_path / "two.db", energy={"key": "E", "forces": False})


def test_arrays_of_a_crafted_database_are_refused_before_memory_is_taken(
    database: Callable[[str], Path],
) -> None:
    path = database("bomb.json")
    content = json.loads(path.read_text())
    content["1"]["data"]["huge"] = {"__ndarray__": [[10**15], "float64", [0.0]]}
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"bomb\.json: an array \(__ndarray__\) claims another"):
        Files().read(str(path))
    path.write_text('{"1": ' + '{"a": ' * 100_000 + "1" + "}" * 100_000 + "}")
    with pytest.raises(DataError, match=r"bomb\.json, frame 0: ASE cannot read it"):
        Files().read(str(path))


@NAMES
def test_values_inside_a_dictionary_and_values_twice_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with ase.db.connect(path) as rows:
        pairs = {"E_dft": -1.0}
        data = {"E_dft": -2.0, "pbe": {"E_pbe": -3.0, "F_pbe": np.zeros((3, 3))}}
        rows.write(molecule("H2O"), key_value_pairs=pairs, data=data)
    with pytest.raises(DataError, match=r"-1\. in key_value_pairs, -2\. in data; keep the one"):
        read(path, energy={"key": "E_dft"})
    with pytest.raises(DataError) as caught:
        read(path, energy={"key": "E_pbe", "forces": {"key": "F_pbe"}})
    for line, key in zip(str(caught.value).splitlines(), ("E_pbe", "F_pbe"), strict=True):
        assert line.endswith(f"; '{key}' is inside 'pbe', a dictionary; store it by itself")

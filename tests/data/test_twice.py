"""What a file says twice: the last one is never taken silently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from mtt.data import Dataset
from mtt.data.files.extxyz import read_extxyz
from mtt.data.read import read_frames
from mtt.errors import DataError
from mtt.options import DatasetOptions

Make = Callable[..., DatasetOptions]
Frame = Callable[..., Path]
ENERGY = {"energy": {"unit": "eV"}}


@pytest.fixture
def frame(tmp_path: Path) -> Frame:
    """Two atoms of hydrogen with a comment line and more columns."""

    def write(comment: str, columns: str = "", more: tuple[str, str] = ("", "")) -> Path:
        path = tmp_path / "set.xyz"
        path.write_text(
            f"2\nProperties=species:S:1:pos:R:3{columns} {comment}\n"
            f"H 0 0 0{more[0]}\nH 0 0 0.7{more[1]}\n"
        )
        return path

    return write


@pytest.mark.parametrize(
    ("comment", "columns", "more", "text"),
    [
        (
            "energy=-1 energy=-2",
            "",
            ("", ""),
            r"2, frame 0: the key 'energy' is given twice: '-1",
        ),
        ('pbc="T T T" pbc="F F F"', "", ("", ""), "the key 'pbc' is given twice: 'T T T', 'F F F'"),
        ("e=1 Properties=species:S:1:pos:R:3:f:R:3", "", ("", ""), "'Properties' is given twice"),
        ("e=1", ":q:R:1:q:R:1", (" 1 2", " 1 2"), "the column 'q' is given twice: rename one"),
        ("e=1", ":pos:R:3", (" 1 2 3", " 1 2 3"), "the column 'pos' is given twice"),
        ("e=1", ":Z:I:1", (" 1", " 6"), r":4, frame 0: atom 1 is 'H' in species and 6 in Z"),
        ("e=1", ":numbers:I:1", (" 6", " 1"), r":3, frame 0: atom 0 is 'H' in species and 6 in n"),
    ],
)
def test_a_key_or_column_given_twice_is_refused_by_name(
    frame: Frame, comment: str, columns: str, more: tuple[str, str], text: str
) -> None:
    with pytest.raises(DataError, match=text):
        read_extxyz(str(frame(comment, columns, more)))


def test_a_key_that_is_given_twice_in_all_frames_is_one_line(frame: Frame) -> None:
    path = frame("energy=-1 energy=-2")
    path.write_text(path.read_text() + path.read_text().replace("=-2", "=-3"))
    with pytest.raises(DataError) as caught:
        read_extxyz(str(path))
    assert str(caught.value) == (
        f"{path}:2, frame 0: the key 'energy' is given twice: '-1', '-2' (and in 1 more places); "
        "keep the one that is meant"
    )


def test_what_is_said_twice_in_agreement_is_read(frame: Frame) -> None:
    path = frame("energy=-1 energy=-1 a a", ":Z:I:1", (" 1", " 1"))
    (found,) = read_extxyz(str(path))
    assert found.per_structure == {"energy": "-1", "a": "T"}
    assert found.numbers.tolist() == [1, 1]


def test_a_key_of_structures_and_atoms_or_of_another_case_is_a_notice_where_it_is_read(
    frame: Frame, energy_options: Make
) -> None:
    path = frame("energy=-1 Energy=-2 other=1 Other=2", ":energy:R:1:other:R:1", (" 1 2", " 1 2"))
    assert read_frames(energy_options(path)).notices == (
        f"{path}: 'energy' is there per structure and per atom (frame 0); targets.energy reads "
        "the one per structure",
        f"{path}: targets.energy reads 'energy' and not 'Energy', which differs in case only",
    )


def test_info_against_the_calculator_is_refused_unless_both_agree() -> None:
    atoms = ase.Atoms("H2", [[0, 0, 0], [0, 0, 0.7]])
    forces = np.array([[0, 0, 1.0], [0, 0, -1.0]])
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=forces)
    atoms.info["energy"] = -1.0 + 1e-8
    atoms.arrays["forces"] = forces.copy()
    assert Dataset.from_atoms([atoms], ENERGY).target("energy").values.item() == -1.0 + 1e-8
    atoms.info["energy"] = -2.0
    atoms.arrays["forces"][1, 2] = 3.0
    with pytest.raises(DataError) as caught:
        Dataset.from_atoms([atoms], ENERGY)
    assert str(caught.value).splitlines() == [
        "atoms, frame 0: 'energy' for targets.energy is there twice: -2. in atoms.info, -1. in the "
        "calculator; keep the one that is meant",
        "atoms, frame 0: 'forces' for targets.energy.forces is there twice: 0. 0. 1. ... in "
        "atoms.arrays, 0. 0. 1. ... in the calculator; keep the one that is meant",
    ]
    unread = {"energy": {"unit": "eV", "key": "E", "forces": False}}
    atoms.info["E"] = -3.0
    assert Dataset.from_atoms([atoms], unread).target("energy").values.item() == -3.0


@pytest.mark.parametrize(
    "value",
    [
        '{"__ase_objtype__": "atoms", "numbers": [1]}',
        '{"__ndarray__": [[100000000000], "float64", [0]]}',
        '{"__complex__": [1, 2]}',
        '[1, {"a": 2}]',
        "[1, [2, 3]]",
        "[" * 100_000 + "]" * 100_000,
        "1" + "0" * 400,
        "1" * 5000,
        "[1, 2",
        "true",
        "nothing",
    ],
)
def test_crafted_json_is_refused_by_name(frame: Frame, energy_options: Make, value: str) -> None:
    quoted = value.replace('"', '\\"')
    path = frame(f'energy="_JSON {quoted}"')
    with pytest.raises(DataError, match=r"0: 'energy' for targets\.energy: not a number: '_J"):
        read_frames(energy_options(path))


def test_json_of_numbers_is_read_and_other_json_is_left_alone(
    frame: Frame, energy_options: Make
) -> None:
    deep = "[" * 100_000
    path = frame(f'energy="_JSON [-1.5]" x="_JSON {deep}" y="_JSON {{\\"a\\": 1}}"')
    (found,) = read_frames(energy_options(path)).frames
    assert found.labels["energy"].values.tolist() == [[-1.5]]

"""The reader of XYZ files, against ASE's."""

from __future__ import annotations

import gzip
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.io.extxyz import key_val_str_to_dict

from mtt.data.files.extxyz import UnusualFormatError, parse_comment, read_extxyz
from mtt.data.files.raw_frame import from_ase
from mtt.data.labels.keys import numbers_in
from mtt.errors import DataError

WATER = """\
3
Lattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3:forces:R:3:fix:L:1 energy=-1 pbc="T T F"
O 0.0 0.0 0.0 0.1 0.2 0.3 T
H 0.0 0.8 0.6 0.0 0.0 nan False
H 0.0 -0.8 0.6 1e-3 -2.0E+1 0.0 F
"""


@pytest.fixture
def write(tmp_path: Path):
    def write_text(text: str, name: str = "water.xyz") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write_text


COMMENTS = [
    'energy=-1.5 name="two words" flag pbc="F F F"',
    "energy = -1.5 forces_ok=T a=b",
    "a={1 2 3} b=[4,5,6] c='7 8'",
    r'quote="say \"hi\"" path=a\ b',
    'json="_JSON [[1, 2], [3, 4]]" last=1',
    "just some words of a plain file",
    "<R2>=35.3 1st=2 x.y=3 a=b=c",
]


@pytest.mark.parametrize("comment", COMMENTS)
def test_a_comment_line_is_read_as_ase_reads_it(comment: str) -> None:
    ours, theirs = parse_comment(comment), key_val_str_to_dict(comment)
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        if isinstance(value, bool | list):
            assert ours[key].split() == ["FT"[int(flag)] for flag in np.atleast_1d(value)]
        elif isinstance(value, str):
            assert ours[key] == value
        else:
            np.testing.assert_array_equal(numbers_in(ours[key]), value)


def test_an_empty_comment_has_no_keys_and_an_empty_value_is_empty() -> None:
    assert parse_comment("\n") == {}
    assert parse_comment('name="" energy=1') == {"name": "", "energy": "1"}


def assert_same_as_ase(path: Path) -> None:
    theirs = ase.io.read(path, ":")
    ours = read_extxyz(str(path))
    assert len(ours) == len(theirs)
    for number, (one, atoms) in enumerate(zip(ours, theirs, strict=True)):
        other = from_ase(atoms, str(path), number)
        for name in ("numbers", "positions", "cell", "pbc"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert set(one.per_structure) == set(other.per_structure)
        assert set(one.per_atom) == set(other.per_atom)
        for name, array in other.per_atom.items():
            if array.dtype.kind == "f":
                np.testing.assert_array_equal(one.per_atom[name], array)


def test_reference_files_are_read_as_ase_reads_them(real_data: Path) -> None:
    files = ["acac/isolated_atoms", "qm9/qm9_reduced_100", "periodic/carbon_reduced_100"]
    for file in [*files, "silicon/train"]:
        assert_same_as_ase(real_data / f"{file}.xyz")


def test_columns_cells_flags_and_numbers_are_read_as_ase_reads_them(write) -> None:
    plain = "2\n\nH 0 0 0\nCl 0 0 1.3\n"
    by_number = (
        "1\nProperties=Z:I:1:pos:R:3:charge:R:1 pbc=T Lattice='1 0 0 0 2 0 0 0 3'\n6 0 0 0 .5\n"
    )
    path = write(WATER + plain + by_number)
    frames = read_extxyz(path)
    assert [f.numbers.tolist() for f in frames] == [[8, 1, 1], [1, 17], [6]]
    assert frames[0].pbc.tolist() == [True, True, False]
    assert frames[2].pbc.all()
    assert frames[0].per_atom["fix"].tolist() == [1.0, 0.0, 0.0]
    assert frames[2].per_atom["charges"].tolist() == [0.5]
    assert frames[0].source == f"{path}, frame 0"


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "water.xyz.gz"
    path.write_bytes(gzip.compress(WATER.encode()))
    assert len(read_extxyz(str(path))) == 1


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "water.xyz"
    path.write_bytes(b"\xef\xbb\xbf" + WATER.replace("\n", "\r\n").encode())
    assert read_extxyz(str(path))[0].per_structure["energy"] == "-1"


def test_plain_files_may_have_more_columns_and_blank_lines_between_frames(write) -> None:
    path = write("1\nfirst\nH 0 0 0 7 8\n\n\n1\nsecond\nHe 1 1 1\n\n")
    assert [f.numbers.tolist() for f in read_extxyz(path)] == [[1], [2]]


def test_cell_vectors_behind_the_atoms_are_left_to_ase(write) -> None:
    with pytest.raises(UnusualFormatError):
        read_extxyz(write("1\nx\nH 0 0 0\nVEC1 1 0 0\nVEC2 0 1 0\nVEC3 0 0 1\n"))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            WATER + "\n".join(WATER.split("\n")[:4]),
            r":9, frame 1: the file ends after 2 of 3 atoms",
        ),
        (WATER.replace("3\n", "2\n", 1), r":5, frame 1: expected a number of atoms, found 'H 0.0"),
        (WATER.replace("3\n", "4\n", 1) + WATER, r":6, frame 0: 1 columns where 8 are expected"),
        (
            WATER.replace("0.3 T", "3.0D-01 T"),
            r":3, frame 0: '3.0D-01' in column 'forces' of atom 0.*E",
        ),
        (WATER.replace("0.3 T", "abc T"), r":3, frame 0: 'abc' in column 'forces' of atom 0"),
        (WATER.replace("0.3 T", "0.3"), r":3, frame 0: 7 columns where 8 are expected"),
        (WATER.replace("O 0.0", "Ox 0.0"), r":3, frame 0: unknown element 'Ox' \(atom 0\)"),
        (WATER.replace("9 0 0 0 9", "9 0 0 0"), r":2, frame 0: Lattice is not 9 numbers"),
        (WATER.replace("T T F", "T T X"), r":2, frame 0: pbc is not one or three of T and F"),
        (WATER.replace("forces:R:3", "forces:Q:3"), r":2, frame 0: Properties: forces:Q:3 is not"),
        (WATER.replace("species", "name"), r":2, frame 0: the columns name no elements"),
        ("hello\n", r":1, frame 0: expected a number of atoms, found 'hello'"),
    ],
)
def test_an_unreadable_frame_is_reported_with_line_and_number(
    write, broken: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_extxyz(write(broken))


def test_all_broken_frames_are_reported_at_once(write) -> None:
    bad = WATER.replace("0.3 T", "abc T")
    with pytest.raises(DataError) as caught:
        read_extxyz(write(bad + WATER + bad.replace("abc", "xyz")))
    assert [problem.where.rpartition(":")[2] for problem in caught.value.problems] == [
        "3, frame 0",
        "13, frame 2",
    ]


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "water.xyz"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="this is not a text file"):
        read_extxyz(str(path))

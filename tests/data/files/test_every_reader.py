"""Every reader that is found reads a file of its kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtt.data.files.reader import Files
from mtt.discovery import READERS
from mtt.errors import DataError

XYZ = "2\nLattice='3 0 0 0 4 0 0 0 5' energy=-1.5 Properties=species:S:1:pos:R:3\n"
POSCAR = "\n".join(
    ["H O", "1.0", "3 0 0", "0 4 0", "0 0 5", "H O", "1 1", "Cartesian", "0 0 0", "0 0 0.7"]
)
CASES = {
    "ase": ("POSCAR", POSCAR, [3, 4, 5]),
    "extxyz": ("set.dat", XYZ + "H 0 0 0\nO 0 0 0.7\n", [3, 4, 5]),
}
"""Name and text of a file that holds H and O at a distance of 0.7, and the lengths of its cell."""


@pytest.mark.parametrize("name", READERS.names())
@pytest.mark.parametrize("asked", [True, False])
def test_every_reader_reads_its_files_with_and_without_being_named(
    name: str, asked: bool, tmp_path: Path
) -> None:
    file, text, cell = CASES[name]
    (tmp_path / file).write_text(text)
    (frame,) = Files().read(str(tmp_path / file), name if asked else None)
    assert frame.numbers.tolist() == [1, 8]
    assert frame.positions[1] == pytest.approx([0, 0, 0.7])
    assert frame.cell.diagonal().tolist() == cell
    assert frame.pbc.tolist() == [length > 0 for length in cell]


def test_a_reader_that_is_named_is_the_one_that_reads(tmp_path: Path) -> None:
    file, text, _ = CASES["ase"]
    (tmp_path / file).write_text(text)
    files = Files()
    assert len(files.read(str(tmp_path / file))) == 1
    with pytest.raises(DataError, match="POSCAR:1, frame 0: expected a number of atoms"):
        files.read(str(tmp_path / file), "extxyz")

"""``lattice``, ``PBC`` and ``properties``: keys that count in one spelling alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtt.data.files.extxyz import read_extxyz
from mtt.data.labels.spelling import misspelt, spelling_notices

CELL = "4 0 0 0 4 0 0 0 4"


def notices(path: Path, comment: str) -> list[str]:
    path.write_text(f"1\n{comment}\nCu 0 0 0 1 2 3\n")
    return spelling_notices(read_extxyz(str(path)))


@pytest.mark.parametrize("key", ["lattice", "LATTICE", "cell", "Cell"])
def test_a_cell_under_another_name_is_named(tmp_path: Path, key: str) -> None:
    path = tmp_path / "a.xyz"
    (notice,) = notices(path, f'{key}="{CELL}"')
    assert notice == (
        f"{path}: {key!r} is not 'Lattice', the only spelling that counts: the structure is read "
        f"without a cell (frame 0); write Lattice= in place of {key}="
    )


@pytest.mark.parametrize("value", ['"T T T"', "T", '"1 1 1"', '"True True True"'])
@pytest.mark.parametrize("key", ["PBC", "Pbc"])
def test_periodicity_under_another_name_is_named(tmp_path: Path, key: str, value: str) -> None:
    (notice,) = notices(tmp_path / "a.xyz", f"{key}={value}")
    assert "is not 'pbc'" in notice
    assert "read with pbc F F F" in notice


def test_columns_under_another_name_are_named(tmp_path: Path) -> None:
    (notice,) = notices(tmp_path / "a.xyz", "properties=species:S:1:pos:R:3:forces:R:3")
    assert "is not 'Properties'" in notice
    assert "columns after the positions are not read" in notice


@pytest.mark.parametrize(
    "comment",
    [
        "lattice=fcc",
        f'Lattice="{CELL}" pbc="T T T" lattice="{CELL}"',
        f'Lattice="{CELL}" PBC="T T T"',  # which the cell says too
        'PBC="F F F"',
        "PBC=maybe properties=many cell=3",
    ],
)
def test_keys_that_change_nothing_are_left_alone(tmp_path: Path, comment: str) -> None:
    assert notices(tmp_path / "a.xyz", comment) == []


def test_frames_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_text("".join(f"1\n{key}={CELL!r}\nCu 0 0 0\n" for key in ("Lattice", "lattice") * 2))
    (one,) = misspelt(read_extxyz(str(path)))
    assert one.frames == (1, 3)

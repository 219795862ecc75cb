"""Files: found by their content, refused by their kind."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import socket
from collections.abc import Callable
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from ase.build import bulk

from mtt.data.files.reader import Files
from mtt.errors import DataError
from mtt.options import DatasetOptions

Make = Callable[..., DatasetOptions]


def test_a_file_that_cannot_be_opened_is_reported(
    tmp_path: Path, file, energy_options: Make, h2, refuse
) -> None:
    path = file(h2(energy=1.0))
    assert refuse(energy_options(tmp_path / "sett.xyz")) == (
        "sett.xyz: no such file; did you mean 'set.xyz'?"
    )
    assert "does not exist" in refuse(energy_options(tmp_path / "no" / "set.xyz"))
    assert "this is a folder, not a file; for all of its files, write" in refuse(
        energy_options(tmp_path)
    )
    for name, text in (("a.zip", "not available"), ("a.xyz", "holds no structures")):
        (tmp_path / name).write_text("\n")
        assert text in refuse(energy_options(tmp_path / name))
    (tmp_path / "notes.abc").write_text("nothing at all\n")
    assert "neither extended XYZ nor a format that ASE knows" in refuse(
        energy_options(tmp_path / "notes.abc")
    )
    (tmp_path / "POSCAR").write_text("cut off\n1.0\n")
    assert "POSCAR, frame 0: ASE cannot read it (" in refuse(energy_options(tmp_path / "POSCAR"))
    assert path.exists()


@pytest.mark.parametrize("name", ["set.dat", "set.txt", "set", "set.log", "set.in", "set.dat.gz"])
@pytest.mark.parametrize("extended", [True, False])
def test_xyz_is_read_under_any_name(tmp_path: Path, name: str, extended: bool) -> None:
    text = "2\nenergy=-1.5 Properties=species:S:1:pos:R:3\nH 0 0 0\nH 0 0 0.7\n"
    text = text if extended else text.replace(" Properties=species:S:1:pos:R:3", "")
    content = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    (frame,) = Files().read(str(tmp_path / name))
    assert frame.per_structure["energy"] == "-1.5"
    assert frame.positions.tolist() == [[0, 0, 0], [0, 0, 0.7]]


def test_empty_lines_before_a_frame_and_empty_files_are_known_for_what_they_are(
    tmp_path: Path,
) -> None:
    path = tmp_path / "set.dat"
    path.write_text("\n\n1\n\nH 0 0 0\n")
    (frame,) = Files().read(str(path))
    assert frame.numbers.tolist() == [1]
    path.write_text("")
    with pytest.raises(DataError, match="this file holds no structures"):
        Files().read(str(path))


@pytest.mark.parametrize("name", ["set", "set.xyz", "set.xyz.gz", "set.xz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_what_is_compressed_is_known_by_its_first_bytes(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    text = b"2\nenergy=-1.5 Properties=species:S:1:pos:R:3\nH 0 0 0\nH 0 0 0.7\n"
    (tmp_path / name).write_bytes(pack(text))
    (frame,) = Files().read(str(tmp_path / name))
    assert frame.per_structure["energy"] == "-1.5"


@pytest.mark.parametrize("name", ["POSCAR", "a.traj", "a.cif", "a.json", "a.db", "a.cfg", "a.xsf"])
def test_other_formats_of_ase_are_read_as_before(tmp_path: Path, name: str) -> None:
    ase.io.write(tmp_path / name, bulk("NaCl", "rocksalt", a=5.6))
    (frame,) = Files().read(str(tmp_path / name))
    assert sorted(frame.numbers.tolist()) == [11, 17]
    assert frame.pbc.all()


@pytest.fixture
def irregular(tmp_path: Path) -> Path:
    """A folder of things that are not files."""
    os.mkfifo(tmp_path / "pipe.xyz")
    (tmp_path / "zeros.xyz").symlink_to("/dev/zero")
    (tmp_path / "dangling.xyz").symlink_to("lost.xyz")
    (tmp_path / "through.xyz").symlink_to("dangling.xyz")
    (tmp_path / "circle.xyz").symlink_to("circle.xyz")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pipe.xyz", "not a regular file, but a named pipe; give a file on the disk"),
        ("zeros.xyz", r"not a regular file, but a device \(/dev/zero\); give"),
        ("dangling.xyz", "the link points to nothing: lost.xyz"),
        ("through.xyz", "the link points to nothing: dangling.xyz, which leads to .*/lost.xyz"),
        ("circle.xyz", "cannot be read: Too many levels of symbolic links"),
    ],
)
def test_what_is_not_a_file_is_refused_by_name_and_never_opened(
    irregular: Path, name: str, text: str
) -> None:
    with pytest.raises(DataError, match=f"{name}: {text}"):
        Files().read(str(irregular / name))


def test_a_file_of_the_kernel_is_refused() -> None:
    if not Path("/proc/version").exists():
        pytest.skip("this system has no /proc")
    with pytest.raises(DataError, match="/proc/version: not a regular file, but a file of the k"):
        Files().read("/proc/version")


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s.xyz")
        with pytest.raises(DataError, match=r"s\.xyz: not a regular file, but a socket"):
            Files().read("s.xyz")


def test_all_files_that_cannot_be_read_are_named_at_once(irregular: Path) -> None:
    (irregular / "text.xyz").write_text("nothing\n")
    (irregular / "sound.xyz").write_text("1\n\nH 0 0 0\n")
    names = ["pipe.xyz", "dangling.xyz", "missing.xyz"]
    with pytest.raises(DataError) as caught:
        Files().read([str(irregular / name) for name in [*names, "sound.xyz"]])
    found = str(caught.value).splitlines()
    assert [Path(line.partition(": ")[0]).name for line in found] == names
    with pytest.raises(DataError, match=r"text\.xyz:1, frame 0: expected a number of atoms"):
        Files().read([str(irregular / "text.xyz"), str(irregular / "sound.xyz")])
    assert np.array_equal(Files().read(str(irregular / "sound.xyz"))[0].numbers, [1])

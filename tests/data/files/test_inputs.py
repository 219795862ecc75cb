"""What ``read_from`` names: lists, patterns, the home folder, variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtt.data import Dataset, pack, read_dataset
from mtt.data.files.inputs import input_files
from mtt.data.read import read_frames
from mtt.errors import DataError
from mtt.options import DatasetOptions, SystemsOptions, load_eval_options

Make = Callable[..., DatasetOptions]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with files of one frame whose energy is the number in their name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RUNS", "runs")
    for name in ("runs/r10.xyz", "runs/r2.xyz", "runs/deep/r3.xyz", "one.xyz", "runs/.r4.xyz"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        energy = "".join(filter(str.isdigit, path.stem)) or "1"
        frame = "2\nenergy={} forces_lost=1\nH 0 0 0\nH 0 0 {}\n"
        path.write_text(frame.format(energy, 1) + frame.format(f"{energy}.5", 2))
    return tmp_path


def energies(read_from: str | list[str]) -> list[float]:
    (options,) = load_eval_options(
        {"systems": {"read_from": read_from}, "targets": {"energy": {"unit": "eV"}}}
    )
    return read_dataset(options).target("energy").values[:, 0].tolist()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("read_from", "names"),
    [
        ("one.xyz", ["one.xyz"]),
        ("runs/*.xyz", ["runs/r2.xyz", "runs/r10.xyz"]),
        ("runs/**/*.xyz", ["runs/deep/r3.xyz", "runs/r2.xyz", "runs/r10.xyz"]),
        (["runs/r?.xyz", "one.xyz"], ["runs/r2.xyz", "one.xyz"]),
        ("runs/*", ["runs/r2.xyz", "runs/r10.xyz"]),
        ("$RUNS/r[1-9]?.xyz", ["runs/r10.xyz"]),
        ("missing.xyz", ["missing.xyz"]),
    ],
)
def test_names_become_files_in_natural_order(read_from: str | list[str], names: list[str]) -> None:
    assert input_files(read_from) == [Path(name) for name in names]


def test_home_and_variables_are_replaced_and_names_that_exist_stay(folder: Path) -> None:
    assert input_files("~/one.xyz") == [folder / "one.xyz"]
    assert input_files("${HOME}/$RUNS/r2.xyz") == [folder / "runs" / "r2.xyz"]
    for name in ("a[1]*.xyz", "$UNSET.xyz", "~"):
        (folder / name).write_text("")
        assert input_files(name) == [Path(name)]


def test_brackets_of_a_folder_that_exists_are_not_wildcards(folder: Path) -> None:
    (folder / "Cu[111]").mkdir()
    for name in ("run 1.xyz", "run 2.xyz"):
        (folder / "Cu[111]" / name).write_text("")
    assert input_files("Cu[111]/run [2].xyz") == [Path("Cu[111]/run 2.xyz")]
    assert input_files("*/run ?.xyz") == [Path("Cu[111]") / f"run {n}.xyz" for n in (1, 2)]
    with pytest.raises(DataError, match=r"the folder Cu\[111\] holds run 1.xyz, run 2.xyz"):
        input_files("Cu[111]/*.cif")


def test_one_file_under_two_names_is_refused(folder: Path) -> None:
    (folder / "same.xyz").hardlink_to(folder / "one.xyz")
    with pytest.raises(DataError, match=r"same\.xyz: is the same file as one\.xyz"):
        input_files(["one.xyz", "same.xyz"])


def test_what_names_no_file_or_one_twice_is_refused_at_once(folder: Path) -> None:
    (folder / "link.xyz").symlink_to("one.xyz")
    with pytest.raises(DataError) as caught:
        input_files(["$RUNZ/a.xyz", "runs/*.abc", "no/*.xyz", "*.xyz", "one.xyz", "$RUNZ/${B_B}"])
    assert str(caught.value).splitlines() == [
        "$RUNZ/a.xyz: the variable 'RUNZ' is not set; did you mean 'RUNS'?",
        "runs/*.abc: no file matches this pattern; the folder runs holds .r4.xyz, deep, r2.xyz, "
        "r10.xyz",
        "no/*.xyz: no file matches this pattern; the folder no does not exist",
        "$RUNZ/${B_B}: the variable 'RUNZ' is not set; did you mean 'RUNS'?",
        "$RUNZ/${B_B}: the variable 'B_B' is not set",
        "one.xyz: is the same file as link.xyz in one data set; its structures would count twice; "
        "name it once",
        "one.xyz: is the same file as link.xyz in one data set; its structures would count twice; "
        "name it once",
    ]


@pytest.mark.usefixtures("folder")
def test_frames_of_several_files_are_known_by_file_and_number(energy_options: Make) -> None:
    options = energy_options("one.xyz")
    names = ["one.xyz", "runs/*.xyz"]
    options = replace(
        options,
        systems=SystemsOptions(names, None, "angstrom"),
        targets={"energy": replace(options.targets["energy"], read_from=list(names))},
    )
    frames = read_frames(options).frames
    assert [frame.source for frame in frames] == [
        f"{name}, frame {i}" for name in ("one.xyz", "runs/r2.xyz", "runs/r10.xyz") for i in (0, 1)
    ]
    assert energies(names) == [1.0, 1.5, 2.0, 2.5, 10.0, 10.5]
    chosen = read_frames(replace(options, indices=[5, 0])).frames
    assert [frame.source for frame in chosen] == ["runs/r10.xyz, frame 1", "one.xyz, frame 0"]
    with pytest.raises(DataError, match=r"one\.xyz and 2 more files: indices \[6\] .* 0 … 5"):
        read_frames(replace(options, indices=[6]))


def test_mistakes_and_missing_labels_name_each_file(folder: Path) -> None:
    text = (folder / "one.xyz").read_text()
    (folder / "one.xyz").write_text(text.replace("energy=1 ", "energy=nan "))
    (folder / "runs" / "r2.xyz").write_text(text.replace("energy=1.5", "energy=NaN"))
    (options,) = load_eval_options(
        {"systems": ["one.xyz", "runs/*.xyz"], "targets": {"energy": {"unit": "eV"}}}
    )
    (notice, *_) = read_dataset(options).notices
    assert notice == (
        "one.xyz and 2 more files: 'energy' is NaN, a missing label, in 2 of 6 structures "
        "(one.xyz, frame 0; runs/r2.xyz, frame 1)"
    )
    (folder / "one.xyz").write_text(text.replace("energy=1.5", "energy=what"))
    (folder / "runs" / "r2.xyz").write_text(text.replace("H 0 0 1", "H 0 0 0"))
    with pytest.raises(DataError) as caught:
        read_dataset(options)
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
        "runs/r2.xyz, frame 0",
        "one.xyz, frame 1",
    ]


def test_labels_may_be_in_as_many_files_as_the_structures(folder: Path) -> None:
    for n in (2, 10):
        text = (folder / "runs" / f"r{n}.xyz").read_text()
        (folder / f"label_{n}.dat").write_text(text.replace("energy=", "E=-"))
    section = {"read_from": "label_*.dat", "key": "E", "unit": "eV", "forces": False}
    (options,) = load_eval_options(
        {"systems": {"read_from": "$RUNS/*.xyz"}, "targets": {"energy": section}}
    )
    assert read_dataset(options).target("energy").values[:, 0].tolist() == [-2, -2.5, -10, -10.5]


@pytest.mark.usefixtures("folder")
def test_variables_are_named_beside_keys_of_the_options() -> None:
    assert energies("${RUNS}/r2.xyz") == [2.0, 2.5]
    with pytest.raises(DataError, match="the variable 'runs_folder' is not set"):
        energies("${runs_folder}/r2.xyz")


def test_a_packed_data_set_is_named_with_variables_and_alone(folder: Path) -> None:
    (options,) = load_eval_options({"systems": "one.xyz", "targets": {"energy": {"unit": "eV"}}})
    pack(read_dataset(options), folder / "runs" / "packed")
    assert energies("$RUNS/packed") == [1.0, 1.5]
    with pytest.raises(DataError, match=r"runs/packed: a packed data set cannot be one of several"):
        energies(["one.xyz", "runs/packed"])
    sources = Dataset.open("runs/packed")
    assert np.array_equal(sources.structures, [0, 1])

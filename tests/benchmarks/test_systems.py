"""The data of the accuracy tables: splits, groups, labels under other names, data made once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import ase
import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

Import = Callable[[str], ModuleType]


def written(path: Path, n: int, name: str = "forces") -> Path:
    """``n`` periodic frames whose energy is their number; ``kind`` alternates."""
    frames = []
    for i in range(n):
        atoms = ase.Atoms("OH", [[0, 0, 0], [0, 0, 1 + 0.01 * i]], cell=[9, 9, 9], pbc=True)
        results: dict[str, Any] = {"energy": float(i), "stress": np.full(6, 0.1)}
        forces = np.full((2, 3), 0.01 * i)
        if name == "forces":
            results["forces"] = forces
        else:
            atoms.arrays[name] = forces
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info |= {"kind": ("bulk", "surface")[i % 3 == 0], "other": "not needed"}
        frames.append(atoms)
    ase.io.write(path, frames, format="extxyz")
    return path


@pytest.fixture
def systems(module: Import) -> ModuleType:
    return module("systems")


def test_every_tenth_frame_is_validation(
    systems: ModuleType, module: Import, tmp_path: Path
) -> None:
    file = str(written(tmp_path / "all.xyz", 25))
    data = systems.split(systems.Source("x", file, None), tmp_path)
    score = module("score")
    assert score.read_labels(data.validation).energies.tolist() == [9, 19]
    assert data.n_train == 23
    assert set(score.read_labels(data.train).energies) == set(range(25)) - {9, 19}


def test_a_frame_keeps_its_labels_and_its_group_and_nothing_else(
    systems: ModuleType, tmp_path: Path
) -> None:
    source = systems.Source(
        "x", str(written(tmp_path / "all.xyz", 20, "force")), None, stress=True, forces="force",
        group=systems.named("kind"),
    )  # fmt: skip
    frame = ase.io.read(systems.split(source, tmp_path).validation, 0)
    assert frame.get_forces() == pytest.approx(np.full((2, 3), 0.09))
    assert frame.get_stress() == pytest.approx(np.full(6, 0.1))
    assert frame.info == {systems.GROUP: "surface"}
    assert set(frame.arrays) == {"numbers", "positions"}


def test_tests_are_scored_between_validation_and_training(
    systems: ModuleType, tmp_path: Path
) -> None:
    all_of_them, hot = written(tmp_path / "all.xyz", 30), written(tmp_path / "hot.xyz", 20)
    tests = {"hot": str(hot), "not-there": "nowhere/nothing.xyz"}
    source = systems.Source("x", str(all_of_them), None, tests=tests)
    data = systems.split(source, tmp_path, limit=15)
    assert list(data.scored) == ["validation", "hot", "train"]
    assert len(ase.io.read(data.scored["hot"], ":")) == 15


def test_the_kinds_of_the_alloy_of_the_examples_have_different_sizes(
    systems: ModuleType, tmp_path: Path
) -> None:
    data = systems.split(systems.SOURCES["alloy"], tmp_path)
    kinds = [frame.info[systems.GROUP] for frame in ase.io.read(data.train, ":")]
    kinds += [frame.info[systems.GROUP] for frame in ase.io.read(data.validation, ":")]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "crystal": 110, "vacancy": 20, "slab": 20,
    }  # fmt: skip


def test_data_are_made_once_and_again_when_their_recipe_changes(
    module: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    making, environments = module("making"), module("environments").Environments(tmp_path, {})
    monkeypatch.setattr(making, "INSIDE", tmp_path)
    script = tmp_path / "make.py"
    code = "import sys\nopen(sys.argv[1] + '/a.xyz', 'w').write(sys.argv[2])\n"
    script.write_text(code, encoding="utf-8")
    recipe = making.Recipe("letters", "make.py", parts=(), words=("x",))
    first = making.made(recipe, tmp_path / "data", environments)
    assert (first / "a.xyz").read_text() == "x"
    about = json.loads((first / "made.json").read_text())
    assert about["command"].endswith(" x")
    stamp = (first / "a.xyz").stat().st_mtime_ns
    assert making.made(recipe, tmp_path / "data", environments) == first
    assert (first / "a.xyz").stat().st_mtime_ns == stamp
    script.write_text(code.replace("argv[2]", "argv[2] * 2"), encoding="utf-8")
    second = making.made(recipe, tmp_path / "data", environments)
    assert second != first
    assert (second / "a.xyz").read_text() == "xx"


def test_a_recipe_that_fails_leaves_nothing_that_is_taken_for_data(
    module: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    making, environments = module("making"), module("environments").Environments(tmp_path, {})
    monkeypatch.setattr(making, "INSIDE", tmp_path)
    (tmp_path / "make.py").write_text("raise SystemExit('no')\n", encoding="utf-8")
    recipe = making.Recipe("letters", "make.py", parts=())
    with pytest.raises(module("running").Failed, match="exit 1"):
        making.made(recipe, tmp_path, environments)
    (tmp_path / "make.py").write_text("", encoding="utf-8")
    with pytest.raises(module("running").Failed, match=r"make\.py has written no file"):
        making.made(recipe, tmp_path, environments)
    assert not list(tmp_path.glob("letters-*/made.json"))


@pytest.mark.parametrize("seed", [1, 2])
def test_frames_of_langevin_dynamics_have_the_temperature_and_come_again(
    module: Import, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Harmonic springs of 2 eV/Å² on both atoms: <x²> is kT / k."""
    monkeypatch.syspath_prepend(str(Path(module("making").INSIDE)))
    langevin = module("langevin")
    atoms = ase.Atoms("C100", np.zeros((100, 3)))
    run = langevin.Run(kelvin=300.0, fs=2.0, equilibration=400, frames=20, every=20)

    def frames() -> np.ndarray:
        random = np.random.Generator(np.random.PCG64(seed))
        return np.stack(list(langevin.trajectory(atoms, lambda x: -2.0 * x, run, random)))

    found = frames()
    assert found.shape == (20, 100, 3)
    assert np.mean(found**2) == pytest.approx(ase.units.kB * 300 / 2.0, rel=0.1)
    assert np.array_equal(found, frames())

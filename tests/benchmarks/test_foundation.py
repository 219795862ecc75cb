"""The table of foundation models: frames, crystals, options of its runs, what they forget."""

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
import yaml
from ase.calculators.singlepoint import SinglePointCalculator

Import = Callable[[str], ModuleType]


@pytest.fixture
def data(module: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ten of 90 frames, whose energy is their number."""
    (tmp_path / "source" / "acac").mkdir(parents=True)
    monkeypatch.setenv("MTT_DATA", str(tmp_path / "source"))
    frames = []
    for i in range(100):
        frames.append(ase.Atoms("OHC", [[0, 0, 0], [0, 0, 1 + 0.01 * i], [0, 2, 0]]))
        frames[-1].calc = SinglePointCalculator(frames[-1], energy=float(i), forces=np.ones((3, 3)))
    ase.io.write(tmp_path / "source" / "acac" / "train_300K.xyz", frames, format="extxyz")
    systems, foundation = module("systems"), module("foundation_data")

    class Scratch:
        """What is asked of a bench."""

        def data(self, source: Any) -> Any:
            return systems.split(source, tmp_path / "split")

    found = foundation.few(Scratch(), "acac-10", tmp_path / "few")
    foundation.crystals(found.elements, found.train.parent / "crystals.xyz")
    return found


def energies(path: Path) -> list[int]:
    return [round(atoms.get_potential_energy()) for atoms in ase.io.read(path, ":")]


def test_few_frames_are_spread_and_tested_on_others(data: Any) -> None:
    trained, held = energies(data.train), energies(data.validation)
    assert sorted(trained + held) == [0, 10, 20, 30, 40, 49, 59, 69, 79, 89]
    assert (len(trained), len(held), data.n_train) == (8, 2, 8)
    assert energies(data.tests["test"]) == list(range(90, 100))
    assert list(data.scored) == ["validation", "test", "train"]


def test_crystals_are_of_all_elements_and_the_same_in_every_run(
    data: Any, module: Import, tmp_path: Path
) -> None:
    path = data.train.parent / "crystals.xyz"
    made = ase.io.read(path, ":")
    assert {int(z) for atoms in made for z in atoms.numbers} == {1, 6, 8}
    assert all(atoms.pbc.all() and atoms.calc is None for atoms in made)
    foundation = module("foundation")
    assert len(made) >= foundation.LEARNED + foundation.HELD
    assert min(atoms.get_volume() / len(atoms) for atoms in made) > 6.0
    again = module("foundation_data").crystals(data.elements, tmp_path / "again.xyz")
    assert again.read_text() == path.read_text()
    # enough of a single element too
    alone = module("foundation_data").crystals((14,), tmp_path / "alone.xyz")
    assert len(ase.io.read(alone, ":")) >= foundation.LEARNED + foundation.HELD


def test_every_method_is_measured_on_the_same_crystals(
    data: Any, module: Import, tmp_path: Path
) -> None:
    foundation, peers = module("foundation"), module("peers")
    runs = {one.name: one for one in foundation.programs()}
    assert list(runs)[:3] == ["7net-0-zero-shot", "7net-0-full", "mtt-density_messages"]
    tunings = {}
    for name in runs:
        job = peers.Job(tmp_path / name, data, n_epochs=3, seed=9, threads=1)
        job.folder.mkdir()
        _, text = runs[name].write(job, Path("python"))
        tunings[name] = yaml.safe_load(text)["architecture"]["training"].get("finetune")
    crystals = str(data.train.parent / "crystals.xyz")
    assert tunings.pop("mtt-density_messages") is None
    assert tunings.pop("7net-0-zero-shot") == {"method": "full"}
    assert {one["replay"]["data"] for one in tunings.values()} == {crystals}
    replay = tunings["7net-0-replay"]["replay"]
    assert (replay["number"], replay["held"]) == (50, 0.2)
    assert {one["replay"]["number"] for n, one in tunings.items() if n != "7net-0-replay"} == {10}


def test_what_is_forgotten_is_read_from_the_run(data: Any, module: Import, tmp_path: Path) -> None:
    foundation, peers, results = module("foundation"), module("peers"), module("results")
    job = peers.Job(tmp_path / "job", data, 1, 1, 1)
    run = job.folder / "outputs" / "2026-01-01" / "00-00-00"
    run.mkdir(parents=True)
    row = {"epoch": 1, "validation loss": 1.0, "validation forces RMSE": 2.0}
    (run / "history.jsonl").write_text(json.dumps(row) + "\n")
    rmse = {"energy/source": {"after": 3.0}, "energy/source forces": {"after": 40.0}}
    (run / "forgetting.json").write_text(json.dumps({"rmse": rmse}))
    found = foundation.Tuned("full").history(job)
    result = results.Result("foundation", "acac-10", "7net-0-full", 1, 1, "cpu", extra=found)
    columns = {one.title: one.value(result) for one in foundation.COLUMNS}
    assert columns["forgotten E, meV/atom"] == 3.0
    assert columns["forgotten F, meV/Å"] == 40.0
    assert columns["step 0 − package: E, eV"] is None

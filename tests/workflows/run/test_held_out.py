"""Digests of validation and test sets: equal for the same structures and labels alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import pytest

from mtt.data import read_dataset
from mtt.options import load_eval_options
from mtt.workflows.run.datasets import Data
from mtt.workflows.run.held_out import sets_of

Sets = Callable[..., Any]


@pytest.fixture
def data_of(ethanol: Path, tmp_path: Path) -> Callable[..., Data]:
    """``data_of(range(4), [range(4, 6)])``: frames to train on, and those of each test set."""
    frames = ase.io.read(ethanol, ":")

    def read(chosen: Any, shift: float, forces: bool) -> Any:
        copies = [frames[i].copy() for i in chosen]
        for copy, i in zip(copies, chosen, strict=True):
            copy.calc = frames[i].calc
            copy.positions[0, 0] += shift
        path = tmp_path / "frames.xyz"
        ase.io.write(path, copies)
        systems = {"read_from": str(path), "length_unit": "angstrom"}
        target = {"unit": "eV", "forces": forces, "stress": False}
        options = {"systems": systems, "targets": {"energy": target}}
        return read_dataset(load_eval_options(options)[0])

    def make(train: Any, tests: Any, shift: float = 0.0, forces: bool = True) -> Data:
        training = read(train, 0.0, forces)
        test = [read(one, shift, forces) for one in tests]
        return Data([training], [], test, training.info, {}, {})

    return make


def test_the_test_set_is_known_by_its_structures_and_labels(data_of: Callable[..., Data]) -> None:
    known = sets_of(data_of(range(4), [range(4, 8)]))
    assert known["training"] == {"n": 4}
    assert known["test"]["n"] == 4
    assert set(known["test"]["digests"]) == {"structures", "values:energy", "forces:energy"}
    larger = sets_of(data_of(range(10, 19), [range(4, 8)]))
    assert larger["test"] == known["test"], "whatever is trained on"
    assert sets_of(data_of(range(4), [range(4, 6), range(6, 8)]))["test"] == known["test"]
    moved = sets_of(data_of(range(4), [range(4, 8)], shift=0.01))["test"]["digests"]
    assert moved["structures"] != known["test"]["digests"]["structures"]
    assert moved["values:energy"] == known["test"]["digests"]["values:energy"]
    fewer = sets_of(data_of(range(4), [range(4, 8)], forces=False))["test"]["digests"]
    without = {k: v for k, v in known["test"]["digests"].items() if k != "forces:energy"}
    assert fewer == without, "energies are the same without forces"
    other = sets_of(data_of(range(4), [range(5, 9)]))["test"]["digests"]
    assert not set(other.values()) & set(known["test"]["digests"].values())

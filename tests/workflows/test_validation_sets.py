"""Several validation sets in a run, from the options to the tables."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import pytest

from mtt.evaluation import evaluate
from mtt.options import load_options, resolve
from mtt.registry import find
from mtt.workflows.evaluate import score
from mtt.workflows.run.datasets import Data, read_data
from mtt.workflows.run.load_model import load_model

Fit = Callable[..., Any]


def data_of(options: dict[str, Any]) -> Data:
    raw = load_options(options)
    return read_data(resolve(raw, find(raw.architecture_name).load()))


@pytest.fixture
def sets(tiny: dict[str, Any], ethanol: Path) -> dict[str, Any]:
    """Options with two validation sets of different sizes."""
    frames = ase.io.read(ethanol, ":")
    ase.io.write("train.xyz", frames[:12])
    ase.io.write("warm.xyz", frames[12:17])
    ase.io.write("cold.xyz", frames[17:])

    def of(file: str, **more: Any) -> dict[str, Any]:
        one = copy.deepcopy(tiny["training_set"])
        return {**one, "systems": {"read_from": file, "length_unit": "angstrom"}, **more}

    held_out = [of("warm.xyz"), of("cold.xyz", name="ice")]
    return {
        **tiny,
        "training_set": of("train.xyz"),
        "validation_set": held_out,
        "test_set": held_out,
    }


def test_data_sets_carry_the_names_of_the_options(sets: dict[str, Any]) -> None:
    data = data_of(sets)
    assert [one.name for one in data.validation] == ["warm", "ice"]
    assert [one.name for one in data.training] == [""]


def test_what_is_held_out_of_a_named_set_has_its_name(sets: dict[str, Any]) -> None:
    named = {**sets["training_set"], "name": "bulk"}
    training = [named, sets["validation_set"][0]]
    data = data_of({**sets, "training_set": training, "validation_set": 0.2, "test_set": 0.0})
    assert [one.name for one in data.validation] == ["bulk", ""]


def test_the_best_model_is_scored_on_all_sets_and_on_each_by_name(
    sets: dict[str, Any], fit: Fit
) -> None:
    sets["architecture"]["training"]["num_epochs"] = 1
    model = load_model(fit(sets).checkpoint)
    parts = data_of(sets).parts()
    reports = score(model, parts, 4, "cpu", extended=True)
    assert list(reports) == [
        "training", "validation", "validation warm", "validation ice",
        "test", "test warm", "test ice",
    ]  # fmt: skip
    alone = evaluate(model, parts["validation"][1], extended=True)
    assert reports["validation ice"].errors == pytest.approx(alone.errors, rel=1e-10)
    rows = {row.quantity: row for row in reports["validation"].rows}
    assert {"forces H", "forces C", "forces O", "forces x"} <= set(rows)
    assert rows["forces"].count == sum(rows[f"forces {axis}"].count for axis in "xyz")
    assert set(reports["validation"].cosines) == {"forces cosine"}

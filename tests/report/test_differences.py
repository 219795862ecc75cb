"""What distinguishes runs: options, errors, winners."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtt.data import DatasetInfo, TargetInfo
from mtt.report.differences import (
    changed,
    deciding_part,
    errors_of,
    flattened,
    incomparable,
    options_that_differ,
    winner,
    wins,
)
from mtt.report.run_data import RunData


def run(name: str, **values: Any) -> RunData:
    evaluation = values.pop("evaluation", None)
    facts = {"state": "finished", "errors": {"evaluation": evaluation}}
    return RunData(name=name, folder=Path(name), facts=facts, **values)


def test_options_are_flattened_to_their_keys() -> None:
    options = {"a": {"b": 1, "c": [1, 2]}, "sets": [{"d": None}], "two": [{"e": 1}, {"e": 2}]}
    assert dict(flattened(options)) == {
        "a.b": 1, "a.c": [1, 2], "sets.d": None, "two.0.e": 1, "two.1.e": 2,
    }  # fmt: skip


def test_changed_options_are_those_with_another_default() -> None:
    options = {"model": {"cutoff": 4.5, "layers": 2, "zbl": False}, "data": "a.xyz"}
    defaults = {"model": {"cutoff": 5.0, "layers": 2, "zbl": True}}
    assert changed(options, defaults) == {
        "model.cutoff": ("4.5", "5"),
        "model.zbl": ("false", "true"),
    }


def test_options_that_differ_have_the_value_of_each_run() -> None:
    one = run("one", options={"cutoff": 4.5, "seed": 1, "same": [1, 2]})
    two = run("two", options={"cutoff": 5.0, "seed": 2, "same": [1, 2], "zbl": None})
    assert options_that_differ([one, two]) == {
        "cutoff": ["4.5", "5"],
        "seed": ["1", "2"],
        "zbl": ["–", "null"],
    }


def test_the_winner_has_the_lowest_error_and_the_highest_cosine() -> None:
    assert winner("forces RMSE (meV/Å)", [3.0, 1.0, 2.0]) == 1
    assert winner("forces cosine", [0.9, 0.99, 0.5]) == 1
    assert winner("energy RMSE", [None, 1.0, float("nan")]) is None
    assert winner("energy RMSE", [1.0, 1.0]) is None


def test_errors_of_different_units_are_not_in_one_row() -> None:
    one = run("one", evaluation={"test": {"energy RMSE (meV/atom)": 5.0}})
    two = run("two", evaluation={"test": {"energy RMSE (kcal/mol/atom)": 0.1}})
    found = errors_of([one, two])["test"]
    assert found == {
        "energy RMSE (meV/atom)": [5.0, None],
        "energy RMSE (kcal/mol/atom)": [None, 0.1],
    }
    assert wins([one, two]) == [0, 0]


def test_the_test_set_decides_where_all_have_one_else_the_validation_set() -> None:
    errors = {"energy RMSE": 1.0, "forces RMSE": 2.0}
    better = {"energy RMSE": 0.5, "forces RMSE": 1.0}
    one = run("one", evaluation={"validation": errors, "test": better})
    two = run("two", evaluation={"validation": better, "test": errors})
    alone = run("alone", evaluation={"validation": better})
    assert (deciding_part([one, two]), wins([one, two])) == ("test", [2, 0])
    assert (deciding_part([one, alone]), wins([one, alone])) == ("validation", [0, 2])


def test_runs_of_other_data_targets_and_units_are_said_to_be_incomparable() -> None:
    def info(**targets: str) -> DatasetInfo:
        found = {name: TargetInfo.energy(unit) for name, unit in targets.items()}
        return DatasetInfo("angstrom", (1,), found)

    one = run("one", info=info(energy="eV"), provenance={"data": "a"})
    two = run("two", info=info(energy="kcal/mol", gap="eV"), provenance={"data": "b"})
    notes = incomparable([one, two])
    assert len(notes) == 3
    assert "different data" in notes[0]
    assert "energy has different units or kinds (eV and kcal/mol)" in notes[1]
    assert "Not all of the runs have the target gap" in notes[2]
    assert incomparable([one, one]) == []

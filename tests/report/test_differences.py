"""What distinguishes runs: options, errors, winners."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtt.data import DatasetInfo, TargetInfo
from mtt.discovery import LOGGERS
from mtt.report.differences import (
    changed,
    deciding_part,
    divided,
    errors_of,
    flattened,
    in_short,
    in_words,
    incomparable,
    options_that_differ,
    winner,
    winners,
    wins,
)
from mtt.report.run_data import RunData
from mtt.report.several.same_sets import set_numbers

DATA = {"data": "all the same"}


def run(name: str, **values: Any) -> RunData:
    evaluation = values.pop("evaluation", None)
    values.setdefault("provenance", DATA)
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


def info(**targets: str) -> DatasetInfo:
    found = {name: TargetInfo.energy(unit, forces=True) for name, unit in targets.items()}
    return DatasetInfo("angstrom", (1,), found)


def recorded(data: str, test: str, validation: str = "v", labels: str = "l") -> dict[str, Any]:
    """What a run writes down of its data: all together, and each set."""

    def digests(name: str) -> dict[str, Any]:
        columns = {"structures": name, "values:energy": name, "forces:energy": f"{name}{labels}"}
        return {"n": 50, "digests": columns}

    sets = {"training": {"n": 10}, "validation": digests(validation), "test": digests(test)}
    return {"data": data, "sets": sets}


def test_runs_of_other_targets_and_units_are_said_to_be_incomparable() -> None:
    one = run("one", info=info(energy="eV"))
    two = run("two", info=info(energy="kcal/mol", gap="eV"))
    notes = incomparable([one, two])
    assert len(notes) == 2
    assert "energy has different units or kinds (eV and kcal/mol)" in notes[0]
    assert "Not all of the runs have the target gap" in notes[1]
    assert incomparable([one, one]) == []


ERRORS = {"energy RMSE (meV/atom)": 1.0, "forces RMSE (meV/Å)": 2.0}
LOWER = {"energy RMSE (meV/atom)": 0.5, "forces RMSE (meV/Å)": 1.0}


def scored(name: str, errors: dict[str, float], **values: Any) -> RunData:
    return run(name, info=info(energy="eV"), evaluation={"test": errors}, **values)


def test_runs_of_a_learning_curve_are_compared_on_the_test_set_that_they_share() -> None:
    small = scored("small", ERRORS, provenance=recorded("10 of them", "t"))
    large = scored("large", LOWER, provenance=recorded("20 of them", "t"))
    assert (deciding_part([small, large]), wins([small, large])) == ("test", [0, 2])
    assert incomparable([small, large]) == []


def test_a_winner_is_named_only_among_runs_with_the_same_test_set() -> None:
    runs = [
        scored("a", ERRORS, provenance=recorded("1", "t")),
        scored("b", LOWER, provenance=recorded("2", "t")),
        scored("c", {name: 0.1 * value for name, value in LOWER.items()},
               provenance=recorded("3", "other")),
    ]  # fmt: skip
    assert set_numbers(runs, "test") == [0, 0, 1]
    assert winners(runs, "test", "forces RMSE (meV/Å)") == [1]
    assert wins(runs) == [0, 2, 0]
    assert incomparable(runs) == [
        "The test sets differ: a and b (A, 50 structures); c (B, 50 structures). Errors on them "
        "are compared only among runs with the same one."
    ]
    assert wins(runs[1:]) == [0, 0]
    assert "Errors on them are not compared with each other." in incomparable(runs[1:])[0]
    more = [*runs, scored("d", ERRORS, provenance=recorded("4", "other"))]
    assert winners(more, "test", "forces RMSE (meV/Å)") == [1, 2]


def test_errors_on_other_labels_of_the_same_structures_are_not_compared() -> None:
    one = scored("one", ERRORS, provenance=recorded("1", "t"))
    two = scored("two", LOWER, provenance=recorded("1", "t", labels="corrected"))
    assert winners([one, two], "test", "energy RMSE (meV/atom)") == [1]
    assert winners([one, two], "test", "forces RMSE (meV/Å)") == []
    (note,) = incomparable([one, two])
    assert "test structures are the same, but the labels of forces differ" in note


def test_runs_of_an_older_mtt_are_compared_where_all_of_their_data_are_the_same() -> None:
    def made(name: str, errors: dict[str, float], data: str, test: Any) -> RunData:
        known = {"data": data, "seed": 1} if data else {}
        return scored(name, errors, provenance=known, options={"test_set": test})

    one, two = made("one", ERRORS, "d", 0.1), made("two", LOWER, "d", 0.1)
    assert wins([one, two]) == [0, 2]
    assert wins([one, made("two", LOWER, "d", 0.2)]) == [0, 0]
    assert wins([one, made("two", LOWER, "other", 0.1)]) == [0, 0]
    assert wins([one, scored("new", LOWER, provenance=recorded("d", "t"))]) == [0, 0]
    unknown = made("unknown", LOWER, "", 0.1)
    assert wins([one, two, unknown]) == [0, 2, 0]
    assert "The test set of unknown is not recorded" in incomparable([one, two, unknown])[0]


def test_how_a_run_is_recorded_is_not_a_difference() -> None:
    known = {name: True for name, own in LOGGERS.facts("has_option", False).items() if own}
    assert {"aim", "mlflow", "wandb", "tensorboard"} <= set(known)
    training = {"log_interval": 5, "checkpoint_interval": None, "batch_size": 2}
    one = run("one", options={"report": False, **known, "architecture": {"training": training}})
    two = run("two", options={"architecture": {"training": {"batch_size": 4}}})
    assert options_that_differ([one, two]) == {"architecture.training.batch_size": ["2", "4"]}


def test_options_are_compared_by_what_they_mean_where_that_is_known_of_all() -> None:
    one = run("one", options={"base_precision": None}, meaning={"base_precision": 32})
    two = run("two", options={"base_precision": 32}, meaning={"base_precision": 32})
    assert options_that_differ([one, two]) == {}
    other = run("other", options={"base_precision": 32})
    assert options_that_differ([one, other]) == {"base_precision": ["null", "32"]}


def test_options_of_other_architectures_and_targets_are_separate() -> None:
    targets = "training_set.targets"
    options = {
        "architecture.name": ["one", "two"],
        "architecture.model.layers": ["2", "–"],
        "architecture.training.loss.energy.weight": ["1", "–"],
        f"{targets}.energy.key": ["energy", "–"],
        f"{targets}.energy.read_from": ["a.xyz", "–"],
        "training_set.systems.read_from": ["a.xyz", "b.xyz"],
        "seed": ["1", "–"],
    }
    differ, partly = divided(options, ["one", "two"])
    assert list(differ) == ["architecture.name", "training_set.systems.read_from", "seed"]
    assert list(partly) == [
        "architecture.model.layers", "architecture.training.loss.energy.weight",
        f"{targets}.energy.key",
    ]  # fmt: skip
    differ, _ = divided(options, ["one", "one"])
    assert "architecture.model.layers" in differ, "an option that a version lacks"
    files = {**options, f"{targets}.energy.read_from": ["labels.xyz", "–"]}
    assert f"{targets}.energy.read_from" in divided(files, ["one", "one"])[1]


def test_training_sets_are_the_same_whatever_their_extra_data_are_called() -> None:
    def made(name: str, errors: dict[str, float], data: str, labelled: str | None) -> RunData:
        known = {"data": data, **({} if labelled is None else {"labelled_data": labelled})}
        return run(name, provenance=known, evaluation={"training": errors})

    one, two = made("one", ERRORS, "1", "same"), made("two", LOWER, "2", "same")
    assert set_numbers([one, two], "training") == [0, 0]
    assert incomparable([one, two]) == []
    assert set_numbers([one, made("b", LOWER, "2", "other")], "training") == [0, 1]
    assert set_numbers([one, made("older", LOWER, "1", None)], "training") == [0, 0]
    assert set_numbers([one, made("older", LOWER, "2", None)], "training") == [0, 1]


def test_targets_that_not_all_runs_have_are_one_note() -> None:
    one, two = run("one", info=info(energy="eV")), run("two", info=info(gap="eV"))
    assert incomparable([one, two]) == ["Not all of the runs have the targets energy, gap."]


def test_a_long_list_is_shown_by_its_number_of_values() -> None:
    words = in_words(list(range(400)))
    assert in_short(words, 40) == "400 values: [0, 1, 2, 3, 4, 5, …]"
    assert in_short("short", 40) == "short"
    assert len(in_short("x" * 80, 40)) == 40

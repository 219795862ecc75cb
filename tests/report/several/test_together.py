"""Predictions of several runs: the same structures, the same axes, errors by group."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mtt.report.kept import Kept
from mtt.report.run_data import RunData
from mtt.report.several.grouped import grouped_errors
from mtt.report.several.parity import distributions, parity_of_each
from mtt.report.several.together import quantities_of, together

MakeRun = Callable[..., RunData]


def domains(spec: Any) -> set[tuple[float, float]]:
    """Ranges of the axes of a chart."""
    sides = [layer["encoding"][side] for layer in spec["layer"] for side in ("x", "y")]
    return {tuple(side["scale"]["domain"]) for side in sides}


def test_runs_are_compared_on_the_structures_that_all_have_predicted(make_run: MakeRun) -> None:
    one, two = make_run("one", 0.1), make_run("two", 0.2, frames=[9, 2, 3, 0])
    found = together([one, two])
    assert found is not None
    assert (found.part, found.common) == ("test", True)
    assert [run.structures.tolist() for run in found.runs] == [
        [True, False, True, True, False, False, False, False], [False, True, True, True],
    ]  # fmt: skip
    energy, forces = quantities_of(found)
    assert [len(one.of("reference")) for one in energy] == [3, 3]
    assert [one.rmse() for one in energy] == pytest.approx([100.0, 200.0])
    assert [one.rmse() for one in forces] == pytest.approx([100 * 2.5**0.5, 200 * 2.5**0.5])


def test_other_test_sets_are_shown_and_not_compared(make_run: MakeRun) -> None:
    runs = [make_run("one", 0.1), make_run("two", 0.2, test="other")]
    found = together(runs)
    assert found is not None
    assert (found.part, found.common) == ("", False)
    assert all(run.structures.all() for run in found.runs)
    page = grouped_errors(quantities_of(found)[1], found)
    assert page is not None
    assert "<b>" not in page


def test_the_validation_set_is_shown_where_not_all_runs_had_time_for_the_test_set(
    make_run: MakeRun,
) -> None:
    runs = []
    for name in ("one", "two"):
        run = make_run(name)
        known, part = run.facts["errors"]["evaluation"], run.kept
        assert part is not None
        known["validation"] = known["test"]
        run.provenance["sets"]["validation"] = run.provenance["sets"]["test"]
        facts = {**part.facts, "parts": ["validation", "test"]}
        facts["totals"] = facts["sets"] = {}
        runs.append(replace(run, kept=Kept(facts, part.arrays)))
    found = together(runs)
    assert found is not None
    assert (found.part, found.common) == ("validation", True)


def test_runs_without_predictions_are_left_out(make_run: MakeRun) -> None:
    one, two = make_run("one"), make_run("two", predictions=False)
    assert together([one, two]) is None
    found = together([two, one, make_run("three")])
    assert found is not None
    assert [run.place for run in found.runs] == [1, 2], "by which they have their colours"


def test_parity_charts_of_all_runs_have_the_same_axes(make_run: MakeRun) -> None:
    found = together([make_run("one", 0.1), make_run("two", 3.0)])
    assert found is not None
    for series in quantities_of(found):
        charts = parity_of_each(series)
        assert [chart.title for chart in charts] == ["one", "two"]
        (axis,) = set().union(*(domains(chart.spec) for chart in charts))
        highest = max(one.of("predicted").max() for one in series)
        assert axis[0] < 0.0 < highest < axis[1]
        assert all(len(one.of("reference")) == len(charts[0].spec["layer"][0]["data"]["values"]
                       .splitlines()) - 1 for one in series)  # fmt: skip


def test_many_values_become_densities_with_the_same_colours(make_run: MakeRun) -> None:
    found = together([make_run(name, 0.1, frames=range(800)) for name in ("one", "two")])
    assert found is not None
    charts = parity_of_each(quantities_of(found)[1])
    marks = [chart.spec["layer"][0] for chart in charts]
    assert [mark["mark"]["type"] for mark in marks] == ["rect", "rect"]
    scales = [mark["encoding"]["color"]["scale"] for mark in marks]
    assert scales[0] == scales[1]
    rows = [line.split(",") for line in marks[0]["data"]["values"].splitlines()[1:]]
    assert sum(float(row[-1]) for row in rows) == 4800


def test_distributions_of_all_runs_are_in_one_chart(make_run: MakeRun) -> None:
    found = together([make_run("one", 0.1), make_run("two", 0.2)])
    assert found is not None
    lines = distributions(quantities_of(found)[0]).spec["data"]["values"].splitlines()[1:]
    shares: dict[str, float] = {}
    for _, name, share in (line.split(",") for line in lines):
        shares[name] = shares.get(name, 0.0) + float(share)
    assert shares == pytest.approx({"one": 1.0, "two": 1.0})


def test_errors_by_group_are_in_one_table_with_the_best_in_bold(make_run: MakeRun) -> None:
    found = together([make_run("one", 0.1), make_run("two", 0.2)])
    assert found is not None
    text = grouped_errors(quantities_of(found)[1], found)
    assert text is not None
    rows = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td>', text)
    assert rows[:3] == [
        ("all", "<b>158.1</b>", "316.2"),
        ("element C", "<b>200</b>", "400"),
        ("element H", "<b>100</b>", "200"),
    ]
    assert sorted(rows[3:]) == [
        ("config_type cold", "<b>158.1</b>", "316.2"),
        ("config_type hot", "<b>158.1</b>", "316.2"),
    ]
    assert "RMSE of forces (meV/Å) by element, config_type" in text

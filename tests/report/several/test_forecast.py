"""Errors against the number of training structures, and what the law expects of more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mtt.report.compose import compose
from mtt.report.run_data import RunData
from mtt.report.several.forecast import curve_chart, forecast, forecast_rows

MakeRun = Callable[..., RunData]
SIZES = (50, 100, 200, 400)


@pytest.fixture
def runs(make_run: MakeRun) -> list[RunData]:
    """Sizes with an error of n^-0.5, which also differ in their epochs."""
    return [make_run(f"n-{n}", n**-0.5, n=n, options=_options(n)) for n in SIZES]


def _options(n: int, **model: Any) -> dict[str, Any]:
    training = {"num_epochs": 40_000 // n, "batch_size": 4}
    sets = {"training_set": {"indices": list(range(n))}}
    return {"architecture": {"model": model, "training": training}, **sets}


def test_runs_that_differ_in_their_structures_alone_have_a_law_and_a_forecast(
    runs: list[RunData],
) -> None:
    found = forecast(runs[::-1])
    assert found is not None
    assert found.part == "test"
    energy, forces = found.curves
    assert [one.quantity for one in found.curves] == ["energy", "forces"]
    assert [n for n, _, _ in energy.points] == list(SIZES)
    assert energy.law is not None
    assert energy.law.exponent == pytest.approx(0.5)
    assert forces.law is not None
    assert forces.law.error(800) == pytest.approx(2.5**0.5 * 800**-0.5)
    (row, _) = forecast_rows(found)
    assert row[0] == "energy (eV/atom)"
    assert row[1].startswith("n^−0.50 (")
    assert row[2].startswith("0.0354 ("), "twice as many structures"


def test_the_chart_has_points_law_interval_and_a_dashed_forecast(runs: list[RunData]) -> None:
    found = forecast(runs)
    assert found is not None
    band, line, dashed, points = curve_chart(found.curves[0], "test").spec["layer"]
    assert len(points["data"]["values"].splitlines()) == 1 + len(SIZES)
    assert dashed["mark"]["strokeDash"] == [5, 4]

    def sizes(layer: Any) -> list[float]:
        return [float(row.split(",")[0]) for row in layer["data"]["values"].splitlines()[1:]]

    assert (min(sizes(line)), max(sizes(line))) == (50, 400)
    assert (min(sizes(dashed)), max(sizes(dashed))) == (400, 4000)
    for row in band["data"]["values"].splitlines()[1:]:
        _, error, low, high = map(float, row.split(","))
        assert low < error < high


def test_runs_that_differ_in_more_have_none(make_run: MakeRun, runs: list[RunData]) -> None:
    other = make_run("other", 0.1, n=800, options=_options(800, cutoff=4.0))
    assert forecast([*runs, other]) is None
    elsewhere = make_run("elsewhere", 0.1, n=800, test="other", options=_options(800))
    assert forecast([*runs, elsewhere]) is None
    assert forecast(runs[:1]) is None
    again = make_run("again", 0.1, n=50, options=_options(50))
    assert forecast([runs[0], again]) is None, "one number of structures"


def test_the_page_of_a_learning_curve_shows_it(runs: list[RunData]) -> None:
    page = compose(runs)
    assert "More structures" in page
    assert "Forecast for more than the 400 structures of the largest run" in page
    assert "add a third one" not in page
    assert "add a third one" in compose(runs[:2])
    assert "the same 8 structures of the test set" in page

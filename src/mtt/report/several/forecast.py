"""Errors against the number of training structures, for runs that differ in nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtt.evaluation.power_law import PowerLaw, fit_power_law
from mtt.evaluation.quantities import is_extended
from mtt.report.charts.chart import Chart, scale, values, wants_log, with_unit
from mtt.report.differences import deciding_part, options_that_differ
from mtt.report.markup import number
from mtt.report.run_data import RunData
from mtt.report.several.same_sets import set_numbers, size_of

_NAMED = re.compile(r"^(.*) RMSE(?: \((.*)\))?$")
_FREE = re.compile(r"(training|validation|test)_set\b.*|seed|architecture\..*\bnum_epochs")
"""Options that may differ: which structures, how they are drawn, and how long is trained on them.
Runs on subsets take more epochs, so that all of them take as many steps."""

_FURTHER = 10.0  # times the largest number of structures, to which the law is drawn
_DRAWN = 60  # points of a curve
_FORECASTS = (2, 5, 10)  # times the largest number of structures
_COLOR = "#2f7ed8"


@dataclass(frozen=True)
class Curve:
    """One error.

    :param points: number of structures, error, and name of each run.
    :param law: None where no law can be fitted.
    """

    quantity: str
    unit: str
    points: tuple[tuple[int, float, str], ...]
    law: PowerLaw | None

    @property
    def largest(self) -> int:
        """The largest number of structures."""
        return max(n for n, _, _ in self.points)


@dataclass(frozen=True)
class Forecast:
    """Errors of several runs against the number of their training structures.

    :param part: of the data that the errors are of.
    """

    part: str
    curves: tuple[Curve, ...]


def forecast(runs: Sequence[RunData]) -> Forecast | None:
    """The errors against the number of structures, with the laws through them.

    None where fewer than two numbers of structures are known, or where the runs differ in more
    than these.
    """
    part = deciding_part(runs)
    known = [run for run in runs if part in run.final_errors and size_of(run, "training")]
    numbers = set_numbers(known, part)
    if len({size_of(run, "training") for run in known}) < 2 or len(set(numbers)) > 1:
        return None
    if None in numbers or not all(map(_FREE.fullmatch, options_that_differ(known))):
        return None
    curves = tuple(_curves(known, part))
    return Forecast(part, curves) if curves else None


def curve_chart(one: Curve, part: str) -> Chart:
    """Points, the law, its interval of 68 %, and the law beyond the largest number, dashed."""
    errors = [error for _, error, _ in one.points]
    log = wants_log(errors, least=1.5) or one.law is not None
    x = {
        "field": "n",
        "type": "quantitative",
        "scale": scale(True),
        "axis": {"title": "training structures", "format": "~s", "grid": False},
    }
    y = {
        "field": "error",
        "type": "quantitative",
        "scale": scale(log and min(errors) > 0),
        "axis": {"title": with_unit(f"RMSE of {one.quantity}", one.unit)},
    }
    hints = [
        {"field": "run", "title": "run"},
        {"field": "n", "type": "quantitative", "title": "structures"},
        {"field": "error", "type": "quantitative", "title": "RMSE", "format": ".4~g"},
    ]
    points = {
        "data": values(["n", "error", "run"], one.points, texts=("run",)),
        "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1, "color": _COLOR},
        "encoding": {"x": x, "y": y, "tooltip": hints},
    }
    law = [] if one.law is None else [*_law(one, one.law, x, y)]
    alt = f"{part} RMSE of {one.quantity} against the number of training structures"
    if law:
        alt += ", with a power law through it and its interval of 68 %"
    return Chart(one.quantity, alt, {"layer": [*law, points]}, _exponent(one.law))


def forecast_rows(found: Forecast) -> list[list[str]]:
    """Quantity, what the law says, and the errors that it expects of more structures."""
    return [
        [with_unit(one.quantity, one.unit), _exponent(one.law), *_expected(one)]
        for one in found.curves
    ]


def forecast_columns() -> list[str]:
    """Headings of :func:`forecast_rows`."""
    return ["RMSE", "law", *(f"{factor} × the structures" for factor in _FORECASTS)]


def _curves(runs: Sequence[RunData], part: str) -> Iterator[Curve]:
    named: dict[str, list[tuple[int, float, str]]] = {}
    for run in runs:
        for name, value in run.final_errors[part].items():
            n = size_of(run, "training")
            if n and math.isfinite(value) and not is_extended(name.partition(" (")[0]):
                named.setdefault(name, []).append((n, value, run.name))
    for name, points in named.items():
        match = _NAMED.match(name)
        if match is None or match[1].endswith(" total") or len({n for n, _, _ in points}) < 2:
            continue
        ordered = tuple(sorted(points))
        law = fit_power_law([n for n, _, _ in ordered], [error for _, error, _ in ordered])
        yield Curve(match[1], match[2] or "", ordered, law)


def _law(one: Curve, law: PowerLaw, x: Mapping[str, Any], y: Mapping[str, Any]) -> Iterator[Any]:
    first = min(n for n, _, _ in one.points)
    sizes = np.geomspace(first, _FURTHER * one.largest, _DRAWN)
    inside = sorted({*sizes.tolist(), float(one.largest)})
    rows = [[n, law.error(n), *law.error_range(n)] for n in inside]
    band = {
        "data": values(["n", "error", "low", "high"], rows),
        "mark": {"type": "area", "opacity": 0.16, "color": _COLOR},
        "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
    }
    yield band
    hints = [
        {"field": "n", "type": "quantitative", "title": "structures", "format": ",.0f"},
        *(
            {"field": field, "type": "quantitative", "title": title, "format": ".4~g"}
            for field, title in (("error", "RMSE"), ("low", "from"), ("high", "to"))
        ),
    ]
    for dash, kept in (
        ([1, 0], [row for row in rows if row[0] <= one.largest]),
        ([5, 4], [row for row in rows if row[0] >= one.largest]),
    ):
        yield {
            "data": values(["n", "error", "low", "high"], kept),
            "mark": {"type": "line", "strokeDash": dash, "color": _COLOR, "strokeWidth": 1.6},
            "encoding": {"x": x, "y": y, "tooltip": hints},
        }


def _exponent(law: PowerLaw | None) -> str:
    if law is None:
        return "no law"
    low, high = law.exponent_range
    if low <= 0.0:
        return f"errors may not fall: exponent {low:.2f} to {high:.2f}".replace("-", "−")
    offset = f", down to {law.offset:.3g}" if law.offset else ""
    return f"n^−{law.exponent:.2f} ({low:.2f} to {high:.2f}){offset}"


def _expected(one: Curve) -> Iterator[str]:
    for factor in _FORECASTS:
        if one.law is None:
            yield "–"
            continue
        n = factor * one.largest
        low, high = one.law.error_range(n)
        error, *ends = (number(value, 3) for value in (one.law.error(n), low, high))
        yield f"{error} ({ends[0]} to {ends[1]})"

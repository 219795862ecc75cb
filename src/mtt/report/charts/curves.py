"""Learning curves: one chart for each number of an epoch, of one run or of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mtt.evaluation.quantities import is_extended
from mtt.report.charts.chart import (
    Chart,
    colored,
    run_color,
    scale,
    values,
    wants_log,
    with_unit,
)
from mtt.report.markup import plural
from mtt.report.run_data import Mark, Row, RunData

_PARTS = ("training", "validation")
_MOST = 400  # epochs that are drawn of a run
_FIRST = ("loss", "learning rate", "gradient norm")
_KINDS = ("RMSE", "MAE", "MaxAE")
_NOT_DRAWN = ("epoch", "seconds")
_DASHES = {"training": [5, 3], "validation": [1, 0]}


class Curve(NamedTuple):
    """A line: the numbers of one column of one run."""

    run: int
    part: str  # "training", "validation bulk"; empty for columns of no part
    column: str


def learning_curves(runs: Sequence[RunData]) -> list[Chart]:
    """The loss, every error, the learning rate, the gradient norm, and weights, in this order."""
    groups: dict[str, list[Curve]] = {}
    for number, run in enumerate(runs):
        for column in _columns(run.rows):
            part, name = _divided(column, run)
            groups.setdefault(name, []).append(Curve(number, part, column))
    errors = [name for name in groups if name not in _FIRST]
    names = [name for name in ("loss", *errors, *_FIRST[1:]) if name in groups]
    return [chart for name in names for chart in _chart(name, groups[name], runs)]


def shown_rows(rows: Sequence[Row]) -> list[Row]:
    """At most some hundred rows, evenly spread, the last one among them."""
    step = -(-len(rows) // _MOST)
    return list(rows[::-1][::step][::-1]) if rows else []


def _columns(rows: Sequence[Row]) -> list[str]:
    found = dict.fromkeys(column for row in rows for column in row)
    return [column for column in found if column not in _NOT_DRAWN]


def _divided(column: str, run: RunData) -> tuple[str, str]:
    """Part and name: ``validation bulk``, ``forces RMSE``."""
    part, _, rest = column.partition(" ")
    if part not in _PARTS:
        return "", column
    known = ("loss", *run.units)
    inner = [name for name in known if rest == name or rest.endswith(f" {name}")]
    name = max(inner, key=len, default=rest)
    return f"{part} {rest.removesuffix(name)}".strip(), name


def _chart(name: str, curves: Sequence[Curve], runs: Sequence[RunData]) -> Iterator[Chart]:
    several = len(runs) > 1
    units = {runs[curve.run].units.get(name, "") for curve in curves}
    unit = units.pop() if len(units) == 1 else ""
    labels = [_label(curve, runs) for curve in curves]
    rows = [row for key, curve in enumerate(curves) for row in _points(key, curve, runs, labels)]
    numbers = [row[3] for row in rows]
    if not numbers or (len(set(numbers)) == 1 and name not in ("loss", "learning rate")):
        return
    log = wants_log(numbers)
    whole = values(["epoch", "key", "series", "value", "part", "run"], rows,
                   texts=("key", "series", "part", "run"))  # fmt: skip
    few = max(len(run.rows) for run in runs) <= 40
    axis = {"title": with_unit(_short(name), unit), "grid": True}
    if log and name == "learning rate":
        axis["format"] = "~e"
    y = {"field": "value", "type": "quantitative", "scale": scale(log), "axis": axis}
    line = {
        "mark": {"type": "line", "point": {"size": 22} if few else False},
        "encoding": {"y": y, **_strokes(curves, runs, labels)},
    }
    marks = [] if several else [*_rules(runs[0].marks, [row[0] for row in rows])]
    spec = {
        "data": whole,
        "encoding": {"x": _epochs()},
        "layer": [line, *marks, _hover(labels)],
    }
    lost = _lost(curves, runs)
    what = ", ".join(dict.fromkeys(labels))
    alt = f"{name} by epoch on a {'logarithmic' if log else 'linear'} axis: {what}"
    yield Chart(name, alt, spec, lost, minor=is_extended(name))


def _short(name: str) -> str:
    """What an axis is called: ``RMSE``, where the heading says of what."""
    kind = name.rpartition(" ")[2]
    return kind if kind in _KINDS else name


def _epochs() -> dict[str, Any]:
    axis = {"title": "epoch", "tickMinStep": 1, "grid": False, "format": "d"}
    return {"field": "epoch", "type": "quantitative", "scale": {"zero": False}, "axis": axis}


def _strokes(curves: Sequence[Curve], runs: Sequence[RunData], labels: Sequence[str]) -> Any:
    """Colours by part for one run; by run, with dashes by part, for several."""
    if len(runs) == 1:
        return {"color": colored(labels), "detail": {"field": "key"}}
    names = [run.name for run in runs]
    parts = list(dict.fromkeys(curve.part for curve in curves))
    dashes = [_DASHES.get(part, [2, 2]) for part in parts]
    legend = {"title": None, "orient": "top", "symbolType": "stroke"} if len(parts) > 1 else None
    return {
        # the page has one legend of the runs for all charts, which fits any width
        "color": {
            "field": "run",
            "type": "nominal",
            "scale": {"domain": names, "range": [run_color(i) for i in range(len(names))]},
            "legend": None,
        },
        "strokeDash": {
            "field": "part",
            "type": "nominal",
            "scale": {"domain": parts, "range": dashes},
            "legend": legend,
        },
        "detail": {"field": "key"},
    }


def _label(curve: Curve, runs: Sequence[RunData]) -> str:
    names = [curve.part or curve.column] if len(runs) == 1 else [runs[curve.run].name, curve.part]
    return " ".join(name for name in names if name)


def _points(
    key: int, curve: Curve, runs: Sequence[RunData], labels: Sequence[str]
) -> Iterator[list[Any]]:
    run = runs[curve.run]
    for row in shown_rows(run.rows):
        epoch, value = row.get("epoch"), row.get(curve.column)
        if epoch is not None and value is not None:
            yield [epoch, f"k{key}", labels[key], value, curve.part, run.name]


def _rules(marks: Sequence[Mark], epochs: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Vertical lines where something happened."""
    if not marks or not epochs:
        return
    names: dict[int, list[str]] = {}
    for one in marks:
        names.setdefault(one.epoch, []).append(one.text.partition(":")[0])
    rows = [[one.epoch, one.text, one.kind] for one in marks]
    data = values(["at", "text", "kind"], rows, texts=("text", "kind"))
    # one text for all that happened in an epoch; the pointer shows the whole
    short = [[at, ", ".join(dict.fromkeys(words))] for at, words in names.items()]
    dash = {"condition": {"test": "datum.kind === 'best'", "value": [1, 0]}, "value": [3, 3]}
    at = {"field": "at", "type": "quantitative"}
    hints = [{"field": "at", "title": "epoch"}, {"field": "text", "title": "event"}]
    yield {
        "data": data,
        "mark": {"type": "rule", "strokeWidth": 1.2, "opacity": 0.75},
        "encoding": {"x": at, "strokeDash": dash, "tooltip": hints},
    }
    yield {
        "data": values(["at", "text"], short, texts=("text",)),
        "mark": {"type": "text", "align": "right", "baseline": "top", "angle": 270, "dy": -11,
                 "dx": -2, "fontSize": 10},
        "encoding": {"x": at, "y": {"value": 0}, "text": {"field": "text"}},
    }  # fmt: skip


def _hover(labels: Sequence[str]) -> dict[str, Any]:
    """A line under the pointer, with the values of all curves at its epoch."""
    shown = [
        {"field": f"k{key}", "type": "quantitative", "title": label, "format": ".4~g"}
        for key, label in enumerate(labels)
    ]
    return {
        "transform": [{"pivot": "key", "value": "value", "groupby": ["epoch"]}],
        "mark": {"type": "rule", "strokeWidth": 14},
        "encoding": {
            "opacity": {"condition": {"param": "hover", "empty": False, "value": 0.13}, "value": 0},
            "tooltip": [{"field": "epoch", "type": "quantitative"}, *shown],
        },
        "params": [
            {
                "name": "hover",
                "select": {
                    "type": "point",
                    "fields": ["epoch"],
                    "nearest": True,
                    "on": "pointermove",
                    "clear": "pointerout",
                },
            }
        ],
    }


def _lost(curves: Sequence[Curve], runs: Sequence[RunData]) -> str:
    """How many numbers are not drawn since they are not finite."""
    lost = 0
    for curve in curves:
        numbers = [row[curve.column] for row in runs[curve.run].rows if curve.column in row]
        if curve.part or any(one is not None for one in numbers):  # a fit has no learning rate
            lost += sum(one is None for one in numbers)
    if not lost:
        return ""
    return f"{plural(lost, 'number')} {'is' if lost == 1 else 'are'} not finite and not drawn"

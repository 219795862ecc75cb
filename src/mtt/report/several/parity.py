"""Parity of several runs in small charts with the same axes, and their errors in one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtt.report.charts.chart import DENSITY, Chart, run_color, values, with_unit
from mtt.report.markup import number
from mtt.report.several.together import Series

_POINTS = 9000  # of all charts of a quantity; more become densities
_SQUARES = 16_000  # the same of squares
_STEPS = 48  # of a distribution
_KEPT_INSIDE = 99.5  # per cent of the errors that the axis of a distribution shows


def parity_of_each(found: Sequence[Series]) -> list[Chart]:
    """One chart for each run; axes and colours of the densities are the same."""
    axes = _axes(found)
    most = max(len(one.of("reference")) for one in found)
    if most * len(found) <= _POINTS:
        return [_chart(one, axes, _points(one, axes)) for one in found]
    bins = int(np.clip(np.sqrt(_SQUARES / len(found)), 24, 56))
    low, high = axes[0]["scale"]["domain"]
    edges = np.linspace(float(low), float(high), bins + 1)
    counts = [_counts(one, edges) for one in found]
    highest = max(float(one.max()) for one in counts)
    return [
        _chart(one, axes, _density(edges, n, highest, axes))
        for one, n in zip(found, counts, strict=True)
    ]


def distributions(found: Sequence[Series]) -> Chart:
    """Shares of the errors by size, one line for each run."""
    name, (unit, _) = found[0].quantity["name"], found[0].quantity["shown"]
    errors = [one.errors[np.isfinite(one.errors)] for one in found]
    largest = [float(np.percentile(np.abs(one), _KEPT_INSIDE)) for one in errors if len(one)]
    most = max(largest, default=1.0) or 1.0
    fewest = min((len(one) for one in errors if len(one)), default=1)
    edges = np.linspace(-most, most, int(np.clip(2 * np.sqrt(fewest), 8, _STEPS)) + 1)
    middles = ((edges[1:] + edges[:-1]) / 2).tolist()
    rows = [
        [at, one.shown.name, float(share)]
        for one, own in zip(found, errors, strict=True)
        if len(own)
        for at, share in zip(middles, np.histogram(own, edges)[0] / len(own), strict=True)
    ]
    x = {
        "field": "error",
        "type": "quantitative",
        "axis": {"title": f"error of {with_unit(name, unit)}"},
        "scale": {"domain": [-most, most], "nice": False},
    }
    y = {
        "field": "share",
        "type": "quantitative",
        "axis": {"title": "share of the errors", "format": "%"},
    }
    hints = [
        {"field": "error", "type": "quantitative", "format": ".4~g"},
        {"field": "share", "type": "quantitative", "format": ".2~%"},
        {"field": "series", "title": "run"},
    ]
    spec = {
        "height": 260,
        "data": values(["error", "series", "share"], rows, texts=("series",)),
        "mark": {"type": "line", "interpolate": "step"},
        "encoding": {"x": x, "y": y, "color": by_run(found), "tooltip": hints},
    }
    outside = sum(int((np.abs(one) > most).sum()) for one in errors)
    note = f"{outside:,} of {sum(map(len, errors)):,} are outside of the axis" if outside else ""
    runs = ", ".join(one.shown.name for one in found)
    alt = f"Distribution of the errors of {name}: {runs}"
    return Chart(f"{name}: errors", alt, spec, note, broad=True)


def by_run(found: Sequence[Series]) -> dict[str, Any]:
    """The encoding of a colour by run: the same as in the learning curves."""
    return {
        "field": "series",
        "type": "nominal",
        "scale": {"domain": [one.shown.name for one in found], "range": [*map(_color, found)]},
        "legend": None,  # the page has one for all charts
    }


def _color(one: Series) -> str:
    return run_color(one.shown.place)


def _axes(found: Sequence[Series]) -> tuple[dict[str, Any], dict[str, Any]]:
    """x and y, with the same range for all runs."""
    quantity = found[0].quantity
    numbers = np.concatenate([one.of(side) for one in found for side in ("reference", "predicted")])
    numbers = numbers[np.isfinite(numbers)]
    low, high = (float(numbers.min()), float(numbers.max())) if len(numbers) else (0.0, 1.0)
    margin = 0.04 * (high - low) or max(abs(high), 1.0) * 0.01
    axis = {
        "type": "quantitative",
        "scale": {"domain": [low - margin, high + margin], "nice": False},
    }
    words = [with_unit(side, quantity["unit"]) for side in ("reference", "predicted")]
    x, y = ({**axis, "axis": {"title": one, "tickCount": 4}} for one in words)
    return x, y


def _chart(one: Series, axes: tuple[dict[str, Any], dict[str, Any]], marks: Any) -> Chart:
    low, high = axes[0]["scale"]["domain"]
    line = {
        "data": values(["a", "b"], [[low, low], [high, high]]),
        "mark": {"type": "line", "strokeDash": [4, 3], "color": "var(--muted)", "strokeWidth": 1},
        "encoding": {"x": {**axes[0], "field": "a"}, "y": {**axes[1], "field": "b"}},
    }
    name, (unit, _) = one.quantity["name"], one.quantity["shown"]
    reference, lost = one.of("reference"), int((~np.isfinite(one.of("predicted"))).sum())
    note = f"RMSE {number(one.rmse(), 3)} {unit}, {len(reference):,} values"
    if lost:
        note += f"; {lost:,} predictions are not finite"
    alt = f"Predicted against reference {name} of {one.shown.name}, {note}"
    spec = {"height": 230, "layer": [marks, line]}
    return Chart(one.shown.name, alt, spec, note)


def _points(one: Series, axes: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    rows = [[float(a), float(b)] for a, b in _finite(one)]
    hints = [
        {"field": field, "type": "quantitative", "title": title, "format": ".6~g"}
        for field, title in (("a", "reference"), ("b", "predicted"))
    ]
    return {
        "data": values(["a", "b"], rows),
        "mark": {"type": "circle", "size": 14, "opacity": 0.6, "color": _color(one)},
        "encoding": {
            "x": {**axes[0], "field": "a"},
            "y": {**axes[1], "field": "b"},
            "tooltip": hints,
        },
    }


def _counts(one: Series, edges: NDArray[Any]) -> NDArray[Any]:
    pairs = np.array([*_finite(one)]).reshape(-1, 2)
    found: NDArray[Any] = np.histogram2d(pairs[:, 0], pairs[:, 1], bins=[edges, edges])[0]
    return found


def _density(
    edges: NDArray[Any],
    counts: NDArray[Any],
    highest: float,
    axes: tuple[dict[str, Any], dict[str, Any]],
) -> dict[str, Any]:
    """Counts in squares."""
    i, j = np.nonzero(counts)
    rows = zip(edges[i], edges[i + 1], edges[j], edges[j + 1], counts[i, j], strict=True)
    titles = {"a": "reference from", "b": "predicted from", "n": "count"}
    return {
        "data": values(["a", "a2", "b", "b2", "n"], [list(map(float, row)) for row in rows]),
        "mark": {"type": "rect"},
        "encoding": {
            "x": {**axes[0], "field": "a"},
            "x2": {"field": "a2"},
            "y": {**axes[1], "field": "b"},
            "y2": {"field": "b2"},
            "color": {
                "field": "n",
                "type": "quantitative",
                "scale": {**DENSITY, "domain": [1, max(highest, 2.0)]},
                "legend": None,
            },
            "tooltip": [
                {"field": field, "type": "quantitative", "title": title, "format": ".5~g"}
                for field, title in titles.items()
            ],
        },
    }


def _finite(one: Series) -> Iterator[tuple[float, float]]:
    predicted = one.of("predicted")
    finite = np.isfinite(predicted)
    yield from zip(one.of("reference")[finite], predicted[finite], strict=True)

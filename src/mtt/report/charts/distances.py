"""The error of a structure against its distance to the training set, in the model's features."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtt.report.charts.chart import DENSITY, Chart, colored, scale, values, wants_log, with_unit
from mtt.report.kept import Kept
from mtt.report.worst import structure_errors

_POINTS = 1500  # of a chart; more become a density
_CELLS = 48  # of a density, along each axis
_FEWEST = 8  # structures of a bin that is drawn
_MOST_BINS = 12


def distance_charts(kept: Kept) -> list[Chart]:
    """One chart for each quantity; none where no distance is known."""
    distance = kept.arrays.get("distance")
    if distance is None:
        return []
    errors = structure_errors(kept)
    found = []
    for number, quantity in enumerate(kept.facts["quantities"]):
        error = errors[number] * quantity["shown"][1]
        drawn = np.isfinite(error) & np.isfinite(distance) & (error > 0)
        if drawn.sum() >= _FEWEST:
            found.append(_chart(kept, quantity, distance, error, drawn))
    return found


def _chart(
    kept: Kept,
    quantity: dict[str, Any],
    distance: NDArray[Any],
    error: NDArray[Any],
    drawn: NDArray[Any],
) -> Chart:
    name, unit = quantity["name"], quantity["shown"][0]
    at, size = distance[drawn], error[drawn]
    log = wants_log(at.tolist(), 20.0)
    x = {
        "field": "at",
        "type": "quantitative",
        "scale": scale(log),
        "axis": {"title": "distance to the nearest training structure", "format": "~g"},
    }
    y = {
        "field": "error",
        "type": "quantitative",
        "scale": scale(log=True),
        "axis": {"title": with_unit("error of a structure", unit), "format": "~g"},
    }
    if len(at) > _POINTS:
        marks = _density(at, size, log, x, y)
    else:
        marks = _points(kept, at, size, kept.arrays["part"][drawn], x, y)
    layers = [*_usual(kept, x), marks, *_trend(at, size, x, y)]
    note = f"{len(at):,} structures; line: RMSE of those at about the same distance"
    alt = f"Error of {name} against the distance to the nearest training structure, {note}"
    return Chart(f"{name}: error and distance", alt, {"height": 280, "layer": layers}, note)


def _usual(kept: Kept, x: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A vertical line where most training structures have another one."""
    usual = kept.facts.get("distances", {}).get("usual")
    if usual:
        yield {
            "data": values(["at"], [[usual]]),
            "mark": {"type": "rule", "strokeDash": [4, 3]},
            "encoding": {"x": x},
        }


def _points(
    kept: Kept,
    at: NDArray[Any],
    size: NDArray[Any],
    part: NDArray[Any],
    x: dict[str, Any],
    y: dict[str, Any],
) -> dict[str, Any]:
    parts = kept.facts["parts"]
    names = [parts[i] for i in sorted(set(part.tolist()))]
    rows = [[float(a), float(b), parts[i]] for a, b, i in zip(at, size, part.tolist(), strict=True)]
    hints = [
        {"field": "at", "type": "quantitative", "title": "distance", "format": ".3~g"},
        {"field": "error", "type": "quantitative", "title": "error", "format": ".4~g"},
        {"field": "series", "title": "part"},
    ]
    color = colored(names, symbol="circle")
    return {
        "data": values(["at", "error", "series"], rows, texts=("series",)),
        "mark": {"type": "circle", "size": 18, "opacity": 0.6},
        "encoding": {"x": x, "y": y, "color": color, "tooltip": hints},
    }


def _density(
    at: NDArray[Any], size: NDArray[Any], log: bool, x: dict[str, Any], y: dict[str, Any]
) -> dict[str, Any]:
    """Counts in cells that are as wide on the axes."""
    positive = at[at > 0]
    low = float(positive.min()) if log else float(at.min())
    spread = np.geomspace if log else np.linspace
    edges = spread(low, float(at.max()) * (1 + 1e-9), _CELLS + 1)
    levels = np.geomspace(float(size.min()), float(size.max()) * (1 + 1e-9), _CELLS + 1)
    counts = np.histogram2d(np.maximum(at, low), size, bins=[edges, levels])[0]
    i, j = np.nonzero(counts)
    rows = zip(edges[i], edges[i + 1], levels[j], levels[j + 1], counts[i, j], strict=True)
    color = {
        "field": "n",
        "type": "quantitative",
        "scale": {**DENSITY, "domainMin": 1},
        "legend": {"title": "structures", "orient": "right", "gradientLength": 120, "tickCount": 3},
    }
    return {
        "data": values(["at", "a2", "error", "b2", "n"], [list(map(float, row)) for row in rows]),
        "mark": {"type": "rect"},
        "encoding": {
            "x": x,
            "x2": {"field": "a2"},
            "y": y,
            "y2": {"field": "b2"},
            "color": color,
            "tooltip": [{"field": "n", "type": "quantitative", "title": "structures"}],
        },
    }


def _trend(
    at: NDArray[Any], size: NDArray[Any], x: dict[str, Any], y: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """RMSE in bins of about as many structures."""
    n = min(len(at) // _FEWEST, _MOST_BINS)
    if n < 2:
        return
    edges = np.unique(np.quantile(at, np.linspace(0, 1, n + 1)))
    rows = []
    for low, high in pairwise(edges):
        inside = (at >= low) & ((at < high) | (high == edges[-1]))
        if inside.sum() >= _FEWEST:
            middle = float(np.median(at[inside]))
            rows.append([middle, float(np.sqrt(np.mean(size[inside] ** 2))), int(inside.sum())])
    hints = [
        {"field": "error", "type": "quantitative", "title": "RMSE", "format": ".4~g"},
        {"field": "n", "type": "quantitative", "title": "structures"},
    ]
    yield {
        "data": values(["at", "error", "n"], rows),
        "mark": {"type": "line", "color": "var(--ink)", "point": {"color": "var(--ink)"}},
        "encoding": {"x": x, "y": y, "tooltip": hints},
    }

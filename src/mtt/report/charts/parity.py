"""Predictions against labels, and how errors are distributed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtt.report.charts.chart import DENSITY, Chart, colored, values, with_unit
from mtt.report.kept import Kept

_POINTS = 1500  # of a chart; more become a density
_BINS = 56
_STEPS = 48  # of a distribution
_KEPT_INSIDE = 99.5  # per cent of the errors that the axis of a distribution shows


class Components(NamedTuple):
    """Kept components of one quantity, one after the other."""

    part: NDArray[Any]  # index into facts["parts"]
    element: NDArray[Any]
    reference: NDArray[Any]
    predicted: NDArray[Any]


def components(kept: Kept, quantity: int) -> Components:
    """What is kept of a quantity; equal to the predictions of the model and the labels."""
    structure = kept.of(quantity, "structure")
    part = kept.arrays["part"][structure]
    names = ("element", "reference", "predicted")
    return Components(part, *(kept.of(quantity, name) for name in names))


def parity_charts(kept: Kept) -> list[Chart]:
    """For each quantity, its parity plot and its errors by part."""
    found: list[Chart] = []
    for number, quantity in enumerate(kept.facts["quantities"]):
        known = components(kept, number)
        if len(known.part):
            found += [_parity(kept, quantity, known), _distribution(kept, quantity, known)]
    return found


def held_out(kept: Kept, part: NDArray[Any]) -> NDArray[Any]:
    """Which entries are of structures that were not trained on; all where there are none."""
    parts = kept.facts["parts"]
    training = parts.index("training") if "training" in parts else -1
    held = part != training
    return held if held.any() else np.ones(len(part), dtype=bool)


def _parity(kept: Kept, quantity: dict[str, Any], known: Components) -> Chart:
    name, unit = quantity["name"], quantity["unit"]
    shown = held_out(kept, known.part)
    reference, predicted = known.reference[shown], known.predicted[shown]
    finite = np.isfinite(predicted)
    lost = int((~finite).sum())
    reference, predicted = reference[finite], predicted[finite]
    low, high = _range(np.concatenate([reference, predicted]))
    axis = {"type": "quantitative", "scale": {"domain": [low, high], "nice": False}}
    names = [with_unit(what, unit) for what in ("reference", "predicted")]
    x, y = ({**axis, "axis": {"title": one}} for one in names)
    line = {
        "data": values(["a", "b"], [[low, low], [high, high]]),
        "mark": {"type": "line", "strokeDash": [4, 3], "color": "var(--muted)", "strokeWidth": 1},
        "encoding": {"x": {**x, "field": "a"}, "y": {**y, "field": "b"}},
    }
    if len(reference) > _POINTS:
        marks = _density(reference, predicted, low, high, x, y)
    else:
        part = known.part[shown][finite]
        marks = _points(kept, part, reference, predicted, x, y)
    parts = [one for i, one in enumerate(kept.facts["parts"]) if i in set(known.part[shown])]
    note = f"{len(reference):,} values of {' and '.join(parts)}"
    if lost:
        note += f"; {lost} predictions are not finite"
    alt = f"Predicted against reference {name}, {note}; the closer to the diagonal, the better"
    return Chart(
        f"{name}: predicted and reference", alt, {"height": 300, "layer": [line, marks]}, note
    )


def _points(
    kept: Kept,
    part: NDArray[Any],
    reference: NDArray[Any],
    predicted: NDArray[Any],
    x: dict[str, Any],
    y: dict[str, Any],
) -> dict[str, Any]:
    names = [kept.facts["parts"][i] for i in sorted(set(part.tolist()))]
    rows = [
        [float(a), float(b), kept.facts["parts"][i]]
        for a, b, i in zip(reference, predicted, part.tolist(), strict=True)
    ]
    formats = [{"field": field, "type": "quantitative", "format": ".6~g"} for field in ("a", "b")]
    titles = ("reference", "predicted")
    hints = [{**one, "title": title} for one, title in zip(formats, titles, strict=True)]
    return {
        "data": values(["a", "b", "series"], rows, texts=("series",)),
        "mark": {"type": "circle", "size": 16, "opacity": 0.65},
        "encoding": {
            "x": {**x, "field": "a"},
            "y": {**y, "field": "b"},
            "color": colored(names, symbol="circle"),
            "tooltip": [*hints, {"field": "series", "title": "part"}],
        },
    }


def _density(
    reference: NDArray[Any],
    predicted: NDArray[Any],
    low: float,
    high: float,
    x: dict[str, Any],
    y: dict[str, Any],
) -> dict[str, Any]:
    """Counts in squares."""
    edges = np.linspace(low, high, _BINS + 1)
    counts = np.histogram2d(reference, predicted, bins=[edges, edges])[0]
    i, j = np.nonzero(counts)
    rows = zip(edges[i], edges[i + 1], edges[j], edges[j + 1], counts[i, j], strict=True)
    color = {
        "field": "n",
        "type": "quantitative",
        "scale": {**DENSITY, "domainMin": 1},
        "legend": {"title": "count", "orient": "right", "gradientLength": 120, "tickCount": 3},
    }
    return {
        "data": values(["a", "a2", "b", "b2", "n"], [list(map(float, row)) for row in rows]),
        "mark": {"type": "rect"},
        "encoding": {
            "x": {**x, "field": "a"},
            "x2": {"field": "a2"},
            "y": {**y, "field": "b"},
            "y2": {"field": "b2"},
            "color": color,
            "tooltip": [
                {"field": "a", "type": "quantitative", "title": "reference from", "format": ".5~g"},
                {"field": "b", "type": "quantitative", "title": "predicted from", "format": ".5~g"},
                {"field": "n", "type": "quantitative", "title": "count"},
            ],
        },
    }


def _distribution(kept: Kept, quantity: dict[str, Any], known: Components) -> Chart:
    """Shares of errors by size, one line for each part."""
    name, (unit, factor) = quantity["name"], quantity["shown"]
    error = (known.predicted - known.reference) * factor
    finite = np.isfinite(error)
    most = float(np.percentile(np.abs(error[finite]), _KEPT_INSIDE)) if finite.any() else 1.0
    most = most or 1.0
    fewest = min(np.bincount(known.part, minlength=1)[np.unique(known.part)])
    edges = np.linspace(-most, most, int(np.clip(2 * np.sqrt(fewest), 8, _STEPS)) + 1)
    rows, names, outside = [], [], 0
    for i, part in enumerate(kept.facts["parts"]):
        mine = error[finite & (known.part == i)]
        if not len(mine):
            continue
        names.append(part)
        outside += int((np.abs(mine) > most).sum())
        share = np.histogram(mine, edges)[0] / len(mine)
        rows += [
            [float(a), part, float(s)]
            for a, s in zip((edges[1:] + edges[:-1]) / 2, share, strict=True)
        ]
    note = f"{outside:,} of {int(finite.sum()):,} errors are larger" if outside else ""
    spec = {
        "height": 300,
        "data": values(["error", "series", "share"], rows, texts=("series",)),
        "mark": {"type": "line", "interpolate": "step"},
        "encoding": {
            "x": {
                "field": "error",
                "type": "quantitative",
                "axis": {"title": with_unit("predicted − reference", unit)},
                "scale": {"domain": [-most, most], "nice": False},
            },
            "y": {
                "field": "share",
                "type": "quantitative",
                "axis": {"title": "fraction of all values", "format": "%"},
            },
            "color": colored(names),
            "tooltip": [
                {"field": "error", "type": "quantitative", "format": ".4~g"},
                {"field": "share", "type": "quantitative", "title": "fraction", "format": ".2~%"},
                {"field": "series", "title": "part"},
            ],
        },
    }
    alt = f"Distribution of the errors of {name} on {', '.join(names)}"
    return Chart(f"{name}: distribution of errors", alt, spec, note)


def _range(numbers: NDArray[Any]) -> tuple[float, float]:
    """Lowest and highest, with a margin."""
    if not len(numbers):
        return 0.0, 1.0
    low, high = float(numbers.min()), float(numbers.max())
    margin = 0.04 * (high - low) or max(abs(high), 1.0) * 0.01
    return low - margin, high + margin


def pooled(kept: Kept, quantity: int, chosen: NDArray[Any]) -> Iterator[float]:
    """RMSE and MAE over all components of ``chosen`` structures, in the shown unit."""
    factor = kept.facts["quantities"][quantity]["shown"][1]
    count = float(kept.of(quantity, "count")[chosen].sum())
    if count:
        yield float(np.sqrt(kept.of(quantity, "squares")[chosen].sum() / count)) * factor
        yield float(kept.of(quantity, "absolutes")[chosen].sum() / count) * factor

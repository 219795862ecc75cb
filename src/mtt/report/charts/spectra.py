"""Predicted spectra over their labels."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from mtt.report.charts.chart import Chart, values, with_unit
from mtt.report.kept import Kept
from mtt.report.markup import number

_TITLES = {"typical": "structure of median error", "worst": "structure of largest error"}
_COLORS = ("#8a94a6", "#2f7ed8")  # of the label, and of the prediction


def spectra_charts(kept: Kept) -> list[Chart]:
    """Two for each target that is a spectrum; none for what older versions kept."""
    return [_chart(kept, one) for one in kept.facts.get("spectra") or []]


def _chart(kept: Kept, one: dict[str, Any]) -> Chart:
    quantity = kept.facts["quantities"][int(one["quantity"])]
    row, (unit, factor) = int(one["row"]), quantity["shown"]
    file = PurePath(kept.facts["files"][int(kept.arrays["source"][row])]).name
    frame = int(kept.arrays["frame"][row])
    part = kept.facts["parts"][int(kept.arrays["part"][row])]
    place = ", ".join([file, *([f"frame {frame}"] if frame >= 0 else []), part])
    names = ("reference", "predicted")
    rows = [
        [at, name, value] for name in names for at, value in zip(one["at"], one[name], strict=True)
    ]
    hints = [
        {"field": "at", "type": "quantitative", "title": "point"},
        {"field": "value", "type": "quantitative", "format": ".4~g"},
        {"field": "series", "title": "spectrum"},
    ]
    spec = {
        "height": 260,
        "data": values(["at", "series", "value"], rows, texts=("series",)),
        "mark": {"type": "line"},
        "encoding": {
            "x": {
                "field": "at",
                "type": "quantitative",
                "axis": {"title": "point of the grid", "format": "d", "tickMinStep": 1},
                "scale": {"nice": False},
            },
            "y": {
                "field": "value",
                "type": "quantitative",
                "axis": {"title": with_unit("value", quantity["unit"])},
            },
            "color": {
                "field": "series",
                "type": "nominal",
                "scale": {"domain": list(names), "range": list(_COLORS)},
                "legend": {"title": None, "orient": "top", "symbolType": "stroke"},
            },
            "tooltip": hints,
        },
    }
    name = quantity["name"]
    note = f"{place}; RMSE {number(one['rmse'] * factor, 3)} {unit}".rstrip()
    title = f"{name}: {_TITLES[one['which']]}"
    return Chart(title, f"Predicted and reference {name} of {place}", spec, note)

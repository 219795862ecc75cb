"""Charts of the lines that probes find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtt.report.charts.chart import Chart, scale, values, wants_log

_COLORS = {"model": "#2f7ed8", "ZBL": "#d9722b"}
_OTHERS = ("#2f7ed8", "#d9722b", "#2a9d73", "#b04fc0")


def line_chart(found: Mapping[str, Any]) -> Chart | None:
    """A chart of a curve of a probe; None of one without points."""
    lines = found["lines"]
    rows = [[a, b, name] for name, points in lines.items() for a, b in points]
    if not rows:
        return None
    names = list(lines)
    others = iter(_OTHERS)
    colors = [_COLORS[name] if name in _COLORS else next(others) for name in names]
    domain = found.get("domain")
    vertical: dict[str, Any] = {"zero": False}
    if domain:
        vertical = {"domain": domain, "clamp": False, "nice": False}
    legend = {"title": None, "orient": "top", "symbolType": "stroke"} if len(names) > 1 else None
    hints = [
        {"field": "x", "type": "quantitative", "title": found["x"], "format": ".4~g"},
        {"field": "y", "type": "quantitative", "title": found["y"], "format": ".4~g"},
        {"field": "series", "title": "line"},
    ]
    spec = {
        "height": 200,
        "data": values(["x", "y", "series"], rows, texts=("series",)),
        "mark": {"type": "line", "clip": True, "point": {"size": 14} if len(rows) < 60 else False},
        "encoding": {
            "x": {
                "field": "x",
                "type": "quantitative",
                "axis": {"title": found["x"]},
                "scale": scale(found["x"] == "number of atoms" and wants_log(r[0] for r in rows)),
            },
            "y": {
                "field": "y",
                "type": "quantitative",
                "axis": {"title": found["y"]},
                "scale": vertical,
            },
            "color": {
                "field": "series",
                "type": "nominal",
                "scale": {"domain": names, "range": colors},
                "legend": legend,
            },
            "tooltip": hints,
        },
    }
    alt = f"{found['title']}: {found['y']} against {found['x']}, {', '.join(names)}"
    return Chart(found["title"], alt, spec, found.get("note", ""))

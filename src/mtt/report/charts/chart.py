"""One chart: a Vega-Lite specification, its heading, and its text for readers who see none."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PART_COLORS = {"training": "#8a94a6", "validation": "#2f7ed8", "test": "#d9722b"}
"""Colours of the parts of the data; each has a contrast of 3 to white and to black."""

RUN_COLORS = (
    "#2f7ed8", "#d9722b", "#2a9d73", "#b04fc0", "#c23b4b", "#7f8a1c", "#2f9fb3", "#8f6f5a",
    "#6a6fe0", "#e0569b", "#5f7f5f", "#b08a1a",
)  # fmt: skip

HEIGHT = 230  # px

DENSITY = {
    "type": "log",
    "range": ["#6f74dd", "#a95fc4", "#e0656f", "#f29b3c", "#f5c542"],
    "interpolate": "lab",
}
"""The scale of the colour of a count; each colour can be seen on white and on black."""


@dataclass(frozen=True)
class Chart:
    """A chart of a page.

    :param alt: what it shows, in a sentence.
    :param spec: Vega-Lite, without width and description.
    :param note: a few words behind the title.
    :param broad: whether it takes the whole width.
    :param minor: whether it is a detail, which readers open.
    """

    title: str
    alt: str
    spec: Mapping[str, Any]
    note: str = ""
    broad: bool = False
    minor: bool = False

    def embedded(self) -> dict[str, Any]:
        """The specification as the page embeds it."""
        size = {} if "hconcat" in self.spec else {"width": "container", "height": HEIGHT}
        return {"description": self.alt, **size, **self.spec}


def values(columns: Sequence[str], rows: Iterable[Sequence[Any]], texts: Sequence[str] = ()) -> Any:
    """Inline data: CSV, which is half as long as JSON; numbers have five digits.

    :param texts: columns that are not numbers.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_short(value) for value in row])
    parse = {name: "string" if name in texts else "number" for name in columns}
    return {"values": out.getvalue(), "format": {"type": "csv", "parse": parse}}


def colored(names: Sequence[str], field: str = "series", symbol: str = "stroke") -> Any:
    """The encoding of a colour by name: parts of the data have theirs, others are numbered.

    :param symbol: of the legend: ``stroke`` of lines, ``circle``, ``square``.
    """
    free = iter(RUN_COLORS * (1 + len(names) // len(RUN_COLORS)))
    found = [PART_COLORS[name] if name in PART_COLORS else next(free) for name in names]
    legend = {"title": None, "orient": "top", "symbolType": symbol}
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": list(names), "range": found},
        "legend": legend if len(names) > 1 else None,
    }


def run_color(place: int) -> str:
    """The colour of a run by its place among those of a page."""
    return RUN_COLORS[place % len(RUN_COLORS)]


def wants_log(numbers: Iterable[float], least: float = 8.0) -> bool:
    """Whether positive numbers spread by more than ``least`` times."""
    found = [value for value in numbers if math.isfinite(value)]
    return len(found) > 1 and min(found) > 0 and max(found) / min(found) > least


def scale(log: bool) -> dict[str, Any]:
    """The scale of an axis; a linear one need not begin at zero."""
    return {"type": "log", "nice": False} if log else {"zero": False}


def with_unit(name: str, unit: str) -> str:
    """``energy (meV/atom)``."""
    return f"{name} ({unit})" if unit else name


def _short(value: Any) -> Any:
    if isinstance(value, bool | str):
        return value
    if value is None or not math.isfinite(value):
        return ""
    return int(value) if float(value).is_integer() and abs(value) < 1e9 else f"{value:.6g}"

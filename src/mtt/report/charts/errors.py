"""Errors by what structures and atoms have in common: element, group, data set, size, force."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtt.report.charts.chart import Chart, colored, scale, values, wants_log, with_unit
from mtt.report.charts.parity import components, pooled
from mtt.report.kept import Kept

_MOST_BARS = 24
_SIZE_BINS = 8
_FORCE_BINS = 14
_FEWEST = 5  # components in a bin that is drawn


def error_charts(kept: Kept) -> list[Chart]:
    """For each quantity what divides its structures or atoms; none where nothing does."""
    found: list[Chart] = []
    for number, quantity in enumerate(kept.facts["quantities"]):
        if kept.of(number, "count").any():
            found += _by_element(kept, quantity)
            found += _by_group(kept, number, quantity)
            found += _by_set(kept, number, quantity)
            found += _by_size(kept, number, quantity)
            found += _by_force(kept, number, quantity)
    return found


def _by_element(kept: Kept, quantity: dict[str, Any]) -> Iterator[Chart]:
    factor = quantity["shown"][1]
    parts = kept.facts["elements"].get(quantity["name"], {})
    rows = [
        [symbol, part, rmse * factor, mae * factor, count]
        for part, elements in parts.items()
        for symbol, (rmse, mae, count) in elements.items()
    ]
    if len({row[0] for row in rows}) > 1:
        yield _bars("element", quantity, rows, kept.facts["parts"])


def _by_group(kept: Kept, number: int, quantity: dict[str, Any]) -> Iterator[Chart]:
    for i, group in enumerate(kept.facts.get("groups", ())):
        rows = [*_pooled(kept, number, kept.arrays[f"group/{i}"], group["values"])]
        if len({row[0] for row in rows}) > 1:
            yield _bars(group["name"], quantity, rows, kept.facts["parts"])


def _by_set(kept: Kept, number: int, quantity: dict[str, Any]) -> Iterator[Chart]:
    """By data set where a part has several, and by file else."""
    rows: list[list[Any]] = []
    for i, part in enumerate(kept.facts["parts"]):
        names = kept.facts["sets"].get(part, [])
        if len(names) > 1:
            mine = kept.arrays["part"] == i
            codes = np.where(mine, kept.arrays["set"].astype(int), -1)
            rows += _pooled(kept, number, codes, names)
    if not rows and len(kept.facts["files"]) > 1:
        rows = [*_pooled(kept, number, kept.arrays["source"], kept.facts["files"])]
    if len({row[0] for row in rows}) > 1:
        yield _bars("data set", quantity, rows, kept.facts["parts"])


def _pooled(
    kept: Kept, number: int, codes: NDArray[Any], names: Sequence[str]
) -> Iterator[list[Any]]:
    """Errors of structures with one code, by part."""
    for i, part in enumerate(kept.facts["parts"]):
        for code, name in enumerate(names):
            chosen = (kept.arrays["part"] == i) & (codes == code)
            pair = list(pooled(kept, number, chosen))
            if pair:
                yield [name, part, *pair, int(chosen.sum())]


def _bars(
    what: str, quantity: dict[str, Any], rows: list[list[Any]], parts: Sequence[str]
) -> Chart:
    unit = quantity["shown"][0]
    names = list(dict.fromkeys(row[0] for row in sorted(rows, key=_order_of(rows))))
    note = f"the {_MOST_BARS} largest of {len(names)}" if len(names) > _MOST_BARS else ""
    names = names[:_MOST_BARS]
    rows = [row for row in rows if row[0] in names]
    used = [part for part in parts if any(row[1] == part for row in rows)]
    hints = [
        {"field": "name", "title": what},
        {"field": "series", "title": "part"},
        {"field": "rmse", "type": "quantitative", "title": f"RMSE ({unit})", "format": ".4~g"},
        {"field": "mae", "type": "quantitative", "title": f"MAE ({unit})", "format": ".4~g"},
        {"field": "count", "type": "quantitative", "title": "number"},
    ]
    x = {"field": "rmse", "type": "quantitative", "axis": {"title": with_unit("RMSE", unit)}}
    y = {
        "field": "name",
        "type": "nominal",
        "sort": names,
        "axis": {"title": None, "grid": False, "ticks": False, "domain": False},
    }
    color = colored(used, symbol="square")
    encoding = {
        "x": x,
        "y": y,
        "yOffset": {"field": "series", "sort": used},
        "color": color,
        "tooltip": hints,
    }
    spec = {
        "height": len(names) * (9 * len(used) + 9),
        "data": values(["name", "series", "rmse", "mae", "count"], rows, texts=("name", "series")),
        "mark": {"type": "bar"},
        "encoding": encoding,
    }
    title = f"{quantity['name']}: error by {what}"
    return Chart(title, f"RMSE of {quantity['name']} by {what}: {', '.join(names)}", spec, note)


def _order_of(rows: list[list[Any]]) -> Callable[[list[Any]], float]:
    """Numbers ascend; else the largest error is first."""
    try:
        values = {row[0]: float(row[0]) for row in rows}
    except ValueError:
        return lambda row: -float(row[2])
    return lambda row: values[row[0]]


def _by_size(kept: Kept, number: int, quantity: dict[str, Any]) -> Iterator[Chart]:
    """Against the number of atoms, in bins of about as many structures."""
    n_atoms = kept.arrays["n_atoms"].astype(int)
    sizes = np.unique(n_atoms)
    if len(sizes) < 3:
        return
    if len(sizes) > _SIZE_BINS:
        levels = np.linspace(0, 1, _SIZE_BINS + 1)
        edges = np.unique(np.quantile(n_atoms, levels).astype(int))
    else:
        edges = np.append(sizes, sizes[-1] + 1)
    rows = []
    for i, part in enumerate(kept.facts["parts"]):
        mine = kept.arrays["part"] == i
        for low, high in pairwise(edges):
            inside = (n_atoms >= low) & ((n_atoms < high) | (high == edges[-1]))
            pair = list(pooled(kept, number, mine & inside))
            if pair:
                at = float(n_atoms[mine & inside].mean())
                rows.append([at, part, *pair, int((mine & inside).sum())])
    yield _against("number of atoms", "", quantity, rows, kept.facts["parts"])


def _by_force(kept: Kept, number: int, quantity: dict[str, Any]) -> Iterator[Chart]:
    """Of forces: against the size of the component, on logarithmic axes."""
    if quantity["part"] != "forces":
        return
    known = components(kept, number)
    factor = quantity["shown"][1]
    size = np.abs(known.reference)
    error = (known.predicted - known.reference) * factor
    used = (size > 0) & np.isfinite(error)
    if used.sum() < 10 * _FEWEST:
        return
    low, high = np.percentile(size[used], [2, 100])
    edges = np.geomspace(max(low, high * 1e-4), high, _FORCE_BINS + 1)
    rows = []
    for i, part in enumerate(kept.facts["parts"]):
        for a, b in pairwise(edges):
            mine = error[used & (known.part == i) & (size >= a) & (size <= b)]
            if len(mine) >= _FEWEST:
                at, rmse = float(np.sqrt(a * b)), float(np.sqrt(np.mean(mine**2)))
                rows.append([at, part, rmse, float(np.mean(np.abs(mine))), len(mine)])
    if rows:
        unit = quantity["unit"]
        yield _against("size of the force component", unit, quantity, rows, kept.facts["parts"])


def _against(
    what: str, unit: str, quantity: dict[str, Any], rows: list[list[Any]], parts: Sequence[str]
) -> Chart:
    shown = quantity["shown"][0]
    used = [part for part in parts if any(row[1] == part for row in rows)]
    x = {
        "field": "at",
        "type": "quantitative",
        "scale": scale(wants_log([row[0] for row in rows])),
        "axis": {"title": with_unit(what, unit), "format": "~g"},
    }
    y = {
        "field": "rmse",
        "type": "quantitative",
        "scale": scale(wants_log([row[2] for row in rows])),
        "axis": {"title": with_unit("RMSE", shown)},
    }
    hints = [
        {"field": "at", "type": "quantitative", "title": with_unit(what, unit), "format": ".4~g"},
        {"field": "rmse", "type": "quantitative", "title": f"RMSE ({shown})", "format": ".4~g"},
        {"field": "mae", "type": "quantitative", "title": f"MAE ({shown})", "format": ".4~g"},
        {"field": "count", "type": "quantitative", "title": "number"},
        {"field": "series", "title": "part"},
    ]
    spec = {
        "data": values(["at", "series", "rmse", "mae", "count"], rows, texts=("series",)),
        "mark": {"type": "line", "point": {"size": 34}},
        "encoding": {"x": x, "y": y, "color": colored(used), "tooltip": hints},
    }
    title = f"{quantity['name']}: error by {what}"
    return Chart(title, f"RMSE of {quantity['name']} against the {what}", spec)

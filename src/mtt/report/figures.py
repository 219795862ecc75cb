"""Pictures of a report, for services that show no pages: learning curves, parity, errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtt.report.charts.chart import PART_COLORS, wants_log, with_unit
from mtt.report.charts.curves import shown_rows
from mtt.report.charts.parity import Components, components, held_out
from mtt.report.kept import Kept
from mtt.report.run_data import RunData

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PARTS = ("training", "validation")
_POINTS = 2000  # more become a density
_COLUMNS = 3
_DPI = 110


def draw_figures(run: RunData, folder: Path) -> list[Path]:
    """Write PNG files into ``folder``, which is made: ``learning-curves.png``, and for each
    quantity with predictions ``parity-forces.png``, its parity plot and its errors.

    :raises ImportError: matplotlib is not installed.
    :raises OSError: a file cannot be written.
    """
    folder.mkdir(exist_ok=True)
    found = []
    for name, figure in _figures(run):
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=_DPI)
        found.append(path)
    return found


def _figures(run: RunData) -> Iterator[tuple[str, Figure]]:
    curves = _curves(run)
    if curves is not None:
        yield "learning-curves", curves
    if run.kept is None:
        return
    for number, quantity in enumerate(run.kept.facts["quantities"]):
        known = components(run.kept, number)
        if len(known.part):
            # names of targets may have signs that names of files may not
            name = re.sub(r"[^\w.-]+", "-", quantity["name"])
            yield f"parity-{name}", _parity(run.kept, quantity, known)


def _curves(run: RunData) -> Figure | None:
    """The loss and every error by epoch; None before the first epoch."""
    rows = shown_rows(run.rows)
    columns = dict.fromkeys(column for row in rows for column in row)
    names = [
        name
        for name in dict.fromkeys(("loss", *run.units))
        if any(f"{part} {name}" in columns for part in _PARTS)
    ]
    if not names:
        return None
    width = min(len(names), _COLUMNS)
    figure, axes = _blank(width, -(-len(names) // width))
    for ax, name in zip(axes, names, strict=False):
        numbers = []
        for part in _PARTS:
            pairs = [
                (row["epoch"], value)
                for row in rows
                if (value := row.get(f"{part} {name}")) is not None
            ]
            if pairs:
                ax.plot(*zip(*pairs, strict=True), color=PART_COLORS[part], label=part)
                numbers += [value for _, value in pairs]
        ax.set(xlabel="epoch", title=with_unit(name, run.units.get(name, "")))
        if wants_log(numbers):
            ax.set_yscale("log")
        ax.legend(frameon=False, loc="upper right")
    return figure


def _parity(kept: Kept, quantity: Mapping[str, Any], known: Components) -> Figure:
    """Predictions against labels, and the distribution of the errors of each part."""
    figure, (left, right) = _blank(2, 1)
    name, (unit, factor) = quantity["name"], quantity["shown"]
    finite = np.isfinite(known.predicted)
    shown = held_out(kept, known.part) & finite
    reference, predicted = known.reference[shown], known.predicted[shown]
    both = np.concatenate([reference, predicted])
    if len(both):
        ends = [float(both.min()), float(both.max())]
        left.plot(ends, ends, color="0.5", linewidth=0.8, linestyle="--")
    if len(reference) > _POINTS:
        drawn = left.hexbin(reference, predicted, gridsize=60, bins="log", mincnt=1)
        figure.colorbar(drawn, ax=left, label="count")
    else:
        for number, part in enumerate(kept.facts["parts"]):
            mine = known.part[shown] == number
            if mine.any():
                left.scatter(reference[mine], predicted[mine], s=6, alpha=0.6, label=part,
                             color=PART_COLORS.get(part))  # fmt: skip
        left.legend(frameon=False, loc="upper left")
    left.set(
        xlabel=f"reference {with_unit(name, quantity['unit'])}",
        ylabel=f"predicted {with_unit(name, quantity['unit'])}",
        title=f"{name}: parity",
    )
    error = (known.predicted - known.reference) * factor
    most = float(np.percentile(np.abs(error[finite]), 99.5)) if finite.any() else 1.0
    edges = np.linspace(-(most or 1.0), most or 1.0, 41)
    for number, part in enumerate(kept.facts["parts"]):
        mine = error[finite & (known.part == number)]
        if len(mine):
            share = np.histogram(mine, edges)[0] / len(mine)
            right.stairs(share, edges, label=part, color=PART_COLORS.get(part))
    right.set(xlabel=f"error of {with_unit(name, unit)}", ylabel="share", title=f"{name}: errors")
    right.legend(frameon=False, loc="upper right")
    return figure


def _blank(columns: int, rows: int) -> tuple[Figure, list[Axes]]:
    """A figure without the state of pyplot, which a script that trains may use."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * columns, 3.4 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    return figure, axes

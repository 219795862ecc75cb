"""Spectra to look at: those of the structures with the largest and with a typical error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtt.evaluation.quantities import Quantity
from mtt.report.collect import ORDER, Entries, Sample

_FEWEST = 8  # points of a spectrum
_MOST = 400  # points that are kept of one


def spectra(found: Sample) -> list[dict[str, Any]]:
    """Plain values: for each target of structures that is a spectrum, a typical and the worst one.

    They are chosen among structures that were not trained on, where there are some. ``at`` are
    points of the grid, counted from 0, in its order; points without a label are left out.
    """
    return [
        {"quantity": number, **one}
        for number, quantity in enumerate(found.quantities)
        for one in _of_one(found, quantity, found.joined(number))
    ]


def _of_one(found: Sample, quantity: Quantity, entries: Entries) -> Iterator[dict[str, Any]]:
    if quantity.part != "values" or quantity.components or entries.element.any():
        return
    if not len(entries.row) or entries.component.max() + 1 < _FEWEST:
        return
    part = np.array(found.part)
    held = part != (found.parts.index(ORDER[-1]) if ORDER[-1] in found.parts else -1)
    chosen = held if held.any() else np.ones(len(part), dtype=bool)
    count = np.bincount(entries.row, minlength=len(part))
    squares = np.bincount(
        entries.row, (entries.predicted - entries.reference) ** 2, minlength=len(part)
    )
    rows = np.flatnonzero(chosen & (count > 0) & np.isfinite(squares))
    if not len(rows):
        return
    errors = np.sqrt(squares[rows] / count[rows])
    order = rows[np.argsort(errors, kind="stable")]
    for which, row in {"typical": order[len(order) // 2], "worst": order[-1]}.items():
        error = float(np.sqrt(squares[row] / count[row]))
        yield {"which": which, "row": int(row), "rmse": error, **_points(entries, int(row))}


def _points(entries: Entries, row: int) -> dict[str, list[float]]:
    mine = np.flatnonzero(entries.row == row)
    mine = mine[np.argsort(entries.component[mine], kind="stable")]
    mine = mine[:: -(-len(mine) // _MOST)]
    return {
        "at": entries.component[mine].tolist(),
        "reference": _short(entries.reference[mine]),
        "predicted": _short(entries.predicted[mine]),
    }


def _short(numbers: NDArray[Any]) -> list[float]:
    return [float(f"{one:.5g}") for one in numbers.tolist()]

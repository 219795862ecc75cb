"""Sections of a report of several runs: the learning curve, predictions, errors by group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtt.report.document import Document
from mtt.report.markup import Html, count, element, joined, table
from mtt.report.run_data import RunData
from mtt.report.several.forecast import (
    Forecast,
    curve_chart,
    forecast_columns,
    forecast_rows,
)
from mtt.report.several.grouped import grouped_errors
from mtt.report.several.parity import distributions, parity_of_each
from mtt.report.several.together import Series, Together


def learning(page: Document, found: Forecast) -> Html:
    """Errors against the number of structures, and what more structures would give."""
    law = any(one.law is not None for one in found.curves)
    lead = (
        f"RMSE on the {found.part} set against the number of training structures, of runs with the "
        "same options apart from training set, seed and number of epochs."
    )
    if law:
        lead += (
            " The line is a power law a·n^−b, the band its interval of 68 %; the law is dashed "
            "where it is a forecast."
        )
    sizes = {n for one in found.curves for n, _, _ in one.points}
    few = "Two sizes determine the laws and do not test them: add a third one."
    charts = page.figures([curve_chart(one, found.part) for one in found.curves])
    caption = f"Forecast for more than the {count(max(sizes))} structures of the largest run"
    rows = table(forecast_columns(), forecast_rows(found), caption) if law else None
    note = element("p", few, class_="notice") if law and len(sizes) == 2 else None
    return joined([element("p", lead, class_="muted"), note, charts, rows])


def predictions(
    page: Document, found: Together, quantities: Sequence[Sequence[Series]], runs: Sequence[RunData]
) -> Html:
    """For each quantity the parity of all runs, and their errors in one chart."""
    parts: list[Html | None] = [element("p", _extent(found), class_="muted")]
    parts += _without(found, runs)
    for one in quantities:
        name = one[0].quantity["name"]
        parts.append(element("h3", f"{name}: predicted against reference"))
        charts = page.figures(parity_of_each(one), small=True), page.figures([distributions(one)])
        parts += [chart for chart in charts if chart is not None]
    return joined(parts)


def groups(found: Together, quantities: Sequence[Sequence[Series]]) -> Html | None:
    """A table for each quantity; None where nothing divides the structures."""
    tables = [one for series in quantities if (one := grouped_errors(series, found)) is not None]
    if not tables:
        return None
    best = "; the best in bold" if found.common else ""
    lead = element("p", f"Errors of the predicted structures{best}.", class_="muted")
    return joined([lead, element("div", *tables, class_="columns")])


def _extent(found: Together) -> str:
    if found.common:
        n = int(found.runs[0].structures.sum())
        return (
            f"Predictions of the best weights for the same {count(n)} structures of the "
            f"{found.part} set. Axes are the same for all runs."
        )
    return (
        "Predictions of the best weights for structures that each run was not trained on. These "
        "are not the same structures: shapes can be compared, numbers cannot. Axes are the same "
        "for all runs."
    )


def _without(found: Together, runs: Sequence[RunData]) -> Iterator[Html]:
    shown = {one.place for one in found.runs}
    names = [run.name for i, run in enumerate(runs) if i not in shown]
    if names:
        text = f"Without predictions: {', '.join(names)}."
        yield element("p", text, class_="notice")

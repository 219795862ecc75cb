"""A report of one run, or of several side by side."""

from __future__ import annotations

from collections.abc import Sequence

from mtt.report.charts.curves import learning_curves
from mtt.report.charts.errors import error_charts
from mtt.report.charts.parity import parity_charts
from mtt.report.charts.spectra import spectra_charts
from mtt.report.document import Document
from mtt.report.kept import Kept
from mtt.report.markup import Html, count, element, plural
from mtt.report.run_data import RunData
from mtt.report.sections.compared import legend, option_differences, overview
from mtt.report.sections.distances import far_away
from mtt.report.sections.evaluated import Evaluation, errors_found, of_what
from mtt.report.sections.findings import findings, title
from mtt.report.sections.probes import probes
from mtt.report.sections.several import groups, learning, predictions
from mtt.report.sections.summary import summary
from mtt.report.sections.trained import trained
from mtt.report.sections.worst import worst
from mtt.report.several.forecast import forecast
from mtt.report.several.together import quantities_of, together

_WITHOUT_CURVES = ("There is no epoch to show yet.", "There is one epoch, and no curve to draw.")


def compose(runs: Sequence[RunData]) -> str:
    """The page: of one run everything, of several what differs.

    :param runs: at least one.
    """
    return _of_one(runs[0]) if len(runs) == 1 else _of_several(runs)


def _of_one(run: RunData) -> str:
    page = Document(f"Report of {run.name}", str(run.folder))
    page.section("summary", "Summary", summary(run))
    page.section("curves", "Learning curves", *_curves(page, [run]))
    kept = run.kept if run.kept is not None and run.kept.facts.get("parts") else None
    if kept is not None:
        _predictions(page, kept, "Predictions of the best weights for")
    page.section("scan", title(run), findings(run))
    if kept is not None:
        page.section("probes", "Physical tests", probes(page, kept))
    page.section("trained", "Options, data, machine", trained(run))
    return page.text()


def compose_evaluation(one: Evaluation) -> str:
    """The page of an evaluation: like that of a run, without a training."""
    page = Document(f"Evaluation of {one.name}", ", ".join(one.reports))
    page.section("summary", "Summary", errors_found(one))
    if one.kept.facts.get("parts"):
        _predictions(page, one.kept, "Predictions for")
    page.section("what", "Model, data, machine", of_what(one))
    return page.text()


def _predictions(page: Document, kept: Kept, what: str) -> None:
    """What is known from predictions and labels alone."""
    charts = [*parity_charts(kept), *spectra_charts(kept)]
    page.section("parity", "Predictions and labels", _extent(kept, what) if charts else None,
                 page.figures(charts))  # fmt: skip
    page.section("errors", "Where errors are large", page.figures(error_charts(kept)))
    page.section("distances", "Distance to the training set", far_away(page, kept))
    page.section("worst", "Worst structures", worst(kept))


def _of_several(runs: Sequence[RunData]) -> str:
    page = Document(f"Comparison of {len(runs)} runs", ", ".join(run.name for run in runs))
    page.section("summary", "Summary", overview(runs))
    law = forecast(runs)
    if law is not None:
        page.section("structures", "More structures", learning(page, law))
    page.section("curves", "Learning curves", legend(runs), *_curves(page, runs))
    found = together(runs)
    if found is not None:
        quantities = quantities_of(found)
        page.section(
            "parity", "Predictions", legend(runs), predictions(page, found, quantities, runs)
        )
        page.section("errors", "Errors by group", groups(found, quantities))
    page.section("options", "Options that differ", option_differences(runs))
    return page.text()


def _curves(page: Document, runs: Sequence[RunData]) -> list[Html | None]:
    epochs = max(len(run.rows) for run in runs)
    charts = learning_curves(runs) if epochs > 1 else []
    if not charts:
        return [element("p", _WITHOUT_CURVES[min(epochs, 1)], class_="muted")]
    minor = [chart for chart in charts if chart.minor]
    drawn = page.figures([chart for chart in charts if not chart.minor])
    if not minor:
        return [drawn]
    text = "Components, elements, norms and largest errors "
    more = element("summary", text, element("small", plural(len(minor), "chart")))
    return [drawn, element("details", more, page.figures(minor, small=True))]


def _extent(kept: Kept, what: str) -> Html:
    """How many structures were predicted, of how many."""
    words = []
    for i, part in enumerate(kept.facts["parts"]):
        n, whole = int((kept.arrays["part"] == i).sum()), kept.facts["totals"][part]
        of = "all" if n == whole else f"{count(n)} of"
        words.append(f"{of} {count(whole)} structures of {part}")
    sampled = any(word.split()[0] != "all" for word in words)
    text = f"{what} {', '.join(words)}"
    text += "; where they are a part, they were drawn at random." if sampled else "."
    return element("p", text, class_="muted")

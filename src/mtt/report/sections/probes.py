"""What probes of the model found: numbers in a table, and charts."""

from __future__ import annotations

from collections.abc import Iterator

from mtt.report.charts.lines import line_chart
from mtt.report.document import Document
from mtt.report.kept import Kept
from mtt.report.markup import Html, element, joined, table

_TITLES = {
    "all": "Not tested",
    "consistency": "Symmetry and forces",
    "cutoff": "Smoothness at the cutoff",
    "dimers": "Two atoms",
    "volumes": "Compression and expansion",
    "strains": "Strain",
    "speed": "Time of a prediction",
    "drift": "Constant energy",
}
_CHARTS_LAST = ("dimers",)


def probes(page: Document, kept: Kept) -> Html | None:
    """The section; None where nothing was probed."""
    found = kept.facts.get("probes") or []
    if not found:
        return None
    lead = element(
        "p",
        "Physics of the best weights, without any label. Two atoms are compared with the screened "
        "repulsion of the nuclei (ZBL), which only holds at short distances.",
        class_="muted",
    )
    rows = [pair for one in found for pair in one["numbers"]]
    numbers = table(["", "result"], rows, "", "texts") if rows else None
    order = sorted(found, key=lambda one: one["key"] in _CHARTS_LAST)
    charts = [
        chart for one in order for line in one["curves"] if (chart := line_chart(line)) is not None
    ]
    if not rows and not charts:
        return joined(_problems(found))
    return joined([lead, *_problems(found), numbers, page.figures(charts, small=True)])


def _problems(found: list[dict[str, str]]) -> Iterator[Html]:
    for one in found:
        if one["problem"]:
            text = f"{_TITLES.get(one['key'], one['key'])}: {one['problem']}."
            yield element("p", text, class_="notice")

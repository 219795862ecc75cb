"""Errors of structures that are far from those that were trained on."""

from __future__ import annotations

from mtt.report.charts.distances import distance_charts
from mtt.report.document import Document
from mtt.report.kept import Kept
from mtt.report.markup import Html, count, element, joined, number


def far_away(page: Document, kept: Kept) -> Html | None:
    """The section; None for what was kept by a mtt that did not look at distances."""
    facts = kept.facts.get("distances")
    if not isinstance(facts, dict):
        return None
    if facts.get("problem"):
        return element("p", str(facts["problem"]), class_="muted")
    whole, drawn = int(facts["whole"]), int(facts["reference"])
    of = "all" if whole == drawn else f"{count(drawn)} of the"
    text = (
        "Are errors larger for structures that are unlike the training set? Structures are "
        "compared by the input of the last layer of the model, averaged over their atoms "
        f"({facts['target']}). A distance of 1 is one standard deviation of every feature. "
        f"Distances are to the nearest of {of} {count(whole)} training structures"
    )
    usual = facts.get("usual")
    if usual:
        text += (
            "; 95\N{NO-BREAK SPACE}% of these have another one within the distance of the dashed "
            f"line, {number(usual, 3)}"
        )
    charts = distance_charts(kept)
    return joined([element("p", f"{text}.", class_="muted"), page.figures(charts)])

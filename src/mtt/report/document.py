"""The whole page: style, script, the libraries that draw, and all charts in one file."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from mtt._version import __version__
from mtt.report.charts.chart import Chart
from mtt.report.markup import Html, element, embedded, joined

LIBRARIES = ("vega", "vega-lite", "vega-embed")
_MAP = re.compile(r"\n//# sourceMappingURL=\S+\s*$")  # names a file that is not embedded


@dataclass
class Document:
    """Collects sections and charts; :meth:`text` is the page.

    :param title: of the page.
    """

    title: str
    lead: str = ""
    sections: list[tuple[str, str, Html]] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)

    def section(self, anchor: str, title: str, *content: str | None) -> None:
        """Add a section; none where it has no content."""
        whole = joined(content)
        if whole:
            self.sections.append((anchor, title, whole))

    def figure(self, chart: Chart) -> Html:
        """The place of a chart in the page."""
        self.charts.append(chart)
        place = str(len(self.charts) - 1)
        head = element("span", chart.title, class_="title")
        note = element("span", chart.note, class_="note") if chart.note else None
        drawn = element("div", class_="chart", data_chart=place)
        return element(
            "figure",
            element("figcaption", head, note),
            drawn,
            class_="broad" if chart.broad else None,
            aria_label=chart.alt,
        )

    def figures(self, charts: Sequence[Chart], *, small: bool = False) -> Html | None:
        """Charts side by side, as many as fit; more of them where they are small."""
        if not charts:
            return None
        shown = "figures small" if small else "figures"
        return element("div", *(self.figure(chart) for chart in charts), class_=shown)

    def text(self) -> str:
        """The page; one file that needs nothing else."""
        links = [element("a", title, href=f"#{anchor}") for anchor, title, _ in self.sections]
        bodies = [
            element("section", element("h2", title), content, id=anchor)
            for anchor, title, content in self.sections
        ]
        body = element(
            "body",
            element("a", "Skip to the content", class_="skip", href="#content"),
            element(
                "header",
                element("h1", self.title),
                element("p", self.lead) if self.lead else None,
            ),
            element("nav", *links, aria_label="sections"),
            element("main", *bodies, id="content"),
            _footer(),
            *_scripts(self.charts),
        )
        head = element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("meta", name="generator", content=f"mtt {__version__}"),
            element("title", self.title),
            element("style", Html(_file("page/page.css"))),
        )
        return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _footer() -> Html:
    licences = element("pre", _file("vendor/LICENSES.txt"))
    made = f"Written by mtt {__version__}. Charts by Vega, Vega-Lite and vega-embed (BSD-3-Clause)."
    return element(
        "footer",
        element("p", made),
        element("details", element("summary", "Licences of the libraries in this file"), licences),
    )


def _scripts(charts: Sequence[Chart]) -> list[Html]:
    if not charts:
        return []
    specs = [chart.embedded() for chart in charts]
    libraries = [
        element("script", Html(_library(name)), type="application/gzip", data_library=name)
        for name in LIBRARIES
    ]
    data = element("script", embedded(specs), type="application/json", id="charts")
    return [*libraries, data, element("script", Html(_file("page/page.js")))]


@cache
def _library(name: str) -> str:
    """One minified script, compressed: a page would have 0.8 MB of them otherwise."""
    text = _MAP.sub("", _file(f"vendor/{name}.min.js"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


@cache
def _file(name: str) -> str:
    return files("mtt.report").joinpath(name).read_text(encoding="utf-8")

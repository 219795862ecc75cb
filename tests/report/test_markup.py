"""HTML and JSON of a report hold texts of users, which cannot become markup or script."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from mtt.report.charts.chart import Chart, values
from mtt.report.document import Document
from mtt.report.markup import (
    chemical,
    duration,
    element,
    embedded,
    number,
    plural,
    sentence,
    size,
    table,
)

EVIL = "</script><script>alert('x')</script><img src=x onerror=\"alert(1)\">&<!--"


class Tags(HTMLParser):
    """All tags and texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parsed(text: str) -> Tags:
    found = Tags()
    found.feed(text)
    return found


def test_texts_and_attributes_are_escaped() -> None:
    found = parsed(element("p", EVIL, title=EVIL))
    assert found.tags == ["p"]
    assert "".join(found.texts) == EVIL
    assert parsed(table(["", EVIL], [[EVIL, EVIL]], EVIL)).tags.count("img") == 0


def test_embedded_json_cannot_end_its_script_and_stays_what_it_was() -> None:
    text = embedded({EVIL: [EVIL, "\u2028"]})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {EVIL: [EVIL, "\u2028"]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded([float("nan")])


def test_a_page_with_evil_names_has_no_tags_of_theirs() -> None:
    chart = Chart(EVIL, EVIL, {"data": values(["a", "s"], [[1.0, EVIL]], texts=("s",))}, EVIL)
    page = Document(EVIL, EVIL)
    page.section("one", EVIL, page.figure(chart), element("p", EVIL))
    found = parsed(page.text())
    assert found.tags.count("img") == 0
    # three libraries, the charts, and the script that draws them
    assert found.tags.count("script") == 5


def test_inline_data_keeps_numbers_and_leaves_out_what_is_not_finite() -> None:
    rows = [[1, "a,b"], [0.123456789, 'c"d'], [float("nan"), ""], [None, "e"]]
    text = values(["x", "s"], rows, texts=("s",))["values"]
    assert text == 'x,s\n1,"a,b"\n0.123457,"c""d"\n,\n,e\n'


def test_numbers_are_short_and_say_what_is_missing() -> None:
    assert [number(x) for x in (0.00012345, -1234567.0, 1e10, None, float("nan"))] == [
        "0.0001234", "−1,234,567", "1e+10", "–", "–",
    ]  # fmt: skip
    assert (number(1098.4, 3), number(3605.2), number(35.27, 3)) == ("1,098", "3,605", "35.3")
    assert (plural(1, "epoch"), plural(2000, "epoch")) == ("1 epoch", "2,000 epochs")
    assert chemical("C12H6O") == "C₁₂H₆O"
    texts = ("the data overlap", "train.xyz, frame 3", "seed: 1")
    assert [*map(sentence, texts)] == ["The data overlap", *texts[1:]]
    assert [duration(x) for x in (1.25, 65, 3600, 90061)] == [
        "1.2 s",
        "1 min 5 s",
        "1 h",
        "1 d 1 h",
    ]
    assert [size(n) for n in (12, 1_659_661)] == ["12 B", "1.66 MB"]

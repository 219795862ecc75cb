"""The page in a real browser: no errors, and every chart has marks."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mtt.workflows.reporting.report import report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MakeRun = Callable[..., Path]
SHAPES = ("path", "line", "rect", "text")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


class Charts(HTMLParser):
    """How many shapes each chart has among its marks."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: dict[str, int] = {}
        self.labels: list[str] = []
        self._chart = ""
        self._depth = 0  # of the group of marks that is open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if "data-chart" in values:
            self._chart = values["data-chart"]
            self.marks[self._chart] = 0
        if tag == "figure":
            self.labels.append(values.get("aria-label", ""))
        if tag == "g":
            opens = "role-mark" in values.get("class", "") or self._depth
            self._depth += bool(opens)
        elif self._depth and tag in SHAPES and self._chart:
            self.marks[self._chart] += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "g" and self._depth:
            self._depth -= 1
        if tag == "section":
            self._chart = ""


def opened(page: Path, profile: Path) -> tuple[str, list[str]]:
    """The page after its scripts, and what they wrote to the console."""
    assert CHROMIUM is not None
    words = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
             "--virtual-time-budget=20000", "--enable-logging=stderr", "--dump-dom"]  # fmt: skip
    done = subprocess.run(
        [*words, page.resolve().as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, said


def test_every_chart_of_one_run_and_of_two_has_marks_and_no_script_complains(
    make_run: MakeRun, here: Path
) -> None:
    one, two = make_run("a"), make_run("&lt;<b>b")
    pages = {"one.html": [one], "two.html": [one, two]}
    for name, runs in pages.items():
        dom, said = opened(report(runs, here / name), here / "profile")
        assert said == []
        assert 'data-ready="true"' in dom
        found = Charts()
        found.feed(dom)
        # of two runs: five curves, and of each quantity two parity plots and the errors of both
        charts = len(re.findall("data-chart=", dom)) if len(runs) == 1 else 5 + 2 * 3
        assert len(found.marks) == charts
        assert [number for number, marks in found.marks.items() if not marks] == []
        assert len(found.labels) == len(found.marks)
        assert all(found.labels)

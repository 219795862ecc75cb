"""The page about conformance shows every check, and what the catalogue says of it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from mtt.testing import CHECKS, NAMES, Check

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGE = (DOCS / "src" / "conformance.md").read_text()


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))
    return runpy.run_path(str(DOCS / "extensions" / "check_rows.py"))["table"]


def test_the_page_holds_the_table_and_writes_no_check_by_hand() -> None:
    assert PAGE.count("```{checks}\n```") == 1
    prose = PAGE[: PAGE.index("## Declared exceptions")]
    assert not [name for name in NAMES if name in prose]


def test_every_check_is_a_row_with_its_meaning_and_where_to_look(table) -> None:
    rows = table(CHECKS).splitlines()[2:]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(NAMES)
    assert all(row.count(" | ") == 2 for row in rows)


def test_names_of_python_are_not_markup(table) -> None:
    check = Check("x", lambda subject: None, meaning="a | b", look="__init__ of a [n, n] table")
    row = table([check]).splitlines()[2]
    assert row == r"| x | a \| b | \_\_init\_\_ of a \[n, n\] table |"

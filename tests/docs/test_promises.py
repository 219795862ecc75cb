"""The page of promises: every promise has a test, and every test that is named exists."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def promises() -> SimpleNamespace:
    # on the path of modules while it runs only: it imports its neighbour
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS / "extensions"))
        return SimpleNamespace(**runpy.run_path(str(DOCS / "extensions" / "promise_rows.py")))


def exists(test: str) -> bool:
    """Whether ``file::name``, or a file alone, is there."""
    file, _, name = test.partition("::")
    path = ROOT / "tests" / file
    return path.is_file() and f"def {name}" in path.read_text(encoding="utf-8")


def test_every_test_that_a_promise_names_exists(promises: SimpleNamespace) -> None:
    rows = [row for section in promises.sections() for row in section.rows]
    rows += promises.of_pages()
    assert not [(row.promise, test) for row in rows for test in row.tests if not exists(test)]


def test_no_promise_is_without_a_test_or_a_reason(promises: SimpleNamespace) -> None:
    rows = [row for section in promises.sections() for row in section.rows]
    assert not [row.promise for row in rows if bool(row.tests) == bool(row.not_here)]
    assert not [row.promise for row in rows if row.tests and not row.means]
    assert not [(row.page, row.promise) for row in promises.of_pages() if not row.tests]


def test_no_promise_occurs_twice(promises: SimpleNamespace) -> None:
    names = [row.promise for section in promises.sections() for row in section.rows]
    assert len(set(names)) == len(names)


def test_the_page_of_promises_is_the_only_one_with_tables_of_tests(
    promises: SimpleNamespace,
) -> None:
    pages = {row.page for row in promises.of_pages()}
    assert {"training", "losses", "stages", "averaging", "prior"} <= pages
    tests = {test.partition("::")[2] for row in promises.of_pages() for test in row.tests}
    for page in (DOCS / "src").glob("*.md"):
        rows = re.findall(r"^\|.*", page.read_text(encoding="utf-8"), re.MULTILINE)
        named = {name for row in rows for name in re.findall(r"`(test_\w+)`", row)}
        assert not named & tests, page.name


def test_every_page_that_is_named_exists(promises: SimpleNamespace) -> None:
    pages = {row.page for section in promises.sections() for row in section.rows if row.page}
    pages |= {row.page for row in promises.of_pages()}
    assert all((DOCS / "src" / f"{page}.md").is_file() for page in pages)


def test_a_table_groups_tests_by_file(promises: SimpleNamespace) -> None:
    row = promises.Promise("p", "m", "losses", ("a.py::test_x", "a.py::test_y", "b.py"))
    assert promises.table([row], None).splitlines()[2] == (
        "| p | m; see [](/losses.md) | `a.py`: `test_x`, `test_y`; `b.py` | | |"
    )

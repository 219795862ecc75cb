"""What is promised, and which tests prove it: from ``promises.yaml`` and from all pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from test_report import Report, figures, outcome

SOURCES = Path(__file__).resolve().parent.parent / "src"
TESTS = SOURCES.parent.parent / "tests"
HEADING = "## What we promise"


class Promise(NamedTuple):
    """One row.

    :param page: where more is told; empty: nowhere.
    :param tests: ``file::name``, the file from the folder of the tests; a file alone is all of it.
    :param not_here: why there is no test.
    """

    promise: str
    means: str
    page: str
    tests: tuple[str, ...]
    not_here: str = ""


class Section(NamedTuple):
    """Promises of one kind."""

    title: str
    about: str
    rows: list[Promise]


def sections(path: Path = SOURCES / "promises.yaml") -> list[Section]:
    """The promises that are written down in one place."""
    return [
        Section(one["section"], one["about"], [_promise(row) for row in one["rows"]])
        for one in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


def _promise(row: dict[str, object]) -> Promise:
    known = {"promise", "means", "page", "tests", "not_here"}
    if set(row) - known:
        raise ValueError(f"{row['promise']}: {set(row) - known} means nothing")
    texts = {key: str(row.get(key, "")) for key in ("promise", "means", "page", "not_here")}
    tests = row.get("tests", [])
    assert isinstance(tests, list)
    return Promise(**texts, tests=tuple(tests))


def of_pages(pages: Iterable[Path] | None = None) -> list[Promise]:
    """The promises in the tables at the end of the pages, in the order of the pages' names."""
    files = _files()
    found = []
    for page in sorted(SOURCES.glob("*.md")) if pages is None else pages:
        text = page.read_text(encoding="utf-8").partition(HEADING)[2]
        for what, proof in re.findall(r"^\| (.+?) \| (.*)\|$", text, re.MULTILINE)[1:]:
            if not set(what) <= set("-|"):
                tests = tuple(_named(proof, files))
                found.append(Promise(what, "", page.stem, tests))
    return found


def _files() -> dict[str, list[str]]:
    """Name of a test to the files that have one of that name."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        names = re.findall(r"^ *def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
        for name in dict.fromkeys(names):
            found.setdefault(name, []).append(path.relative_to(TESTS).as_posix())
    return found


def _named(proof: str, files: dict[str, list[str]]) -> Iterator[str]:
    """``file::name`` of all tests that a cell of a page names."""
    file = ""
    used = True
    for code in re.findall(r"`([^`]+)`", proof):
        if code.endswith(".py"):
            if not used:
                yield file
            file, used = code.removeprefix("tests/"), False
        elif code.startswith("test_"):
            used = True
            there = files.get(code, [])
            yield f"{file if file in there or not there else there[0]}::{code}"
    if not used:
        yield file


def table(rows: Sequence[Promise], report: Report | None) -> str:
    """A Markdown table of promises with tests, and what the tests found."""
    lines = [f"| promise | what it means here | tests |{_HEAD[0]}", f"|---|---|---|{_HEAD[1]}"]
    for row in rows:
        means = f"{row.means}; see [](/{row.page}.md)" if row.page else row.means
        lines.append(f"| {row.promise} | {means} | {_tests(row.tests)} |{_found(row, report)}")
    return "\n".join(lines) + "\n"


def table_of_pages(rows: Sequence[Promise], report: Report | None) -> str:
    """A Markdown table of the promises of pages, and what their tests found."""
    lines = [f"| page | promise | tests |{_HEAD[0]}", f"|---|---|---|{_HEAD[1]}"]
    for row in rows:
        page, tests = f"[](/{row.page}.md)", _tests(row.tests)
        lines.append(f"| {page} | {row.promise} | {tests} |{_found(row, report)}")
    return "\n".join(lines) + "\n"


_HEAD = " result | figures |", "---|---|"


def _found(row: Promise, report: Report | None) -> str:
    """The last two cells of a row."""
    if report is None:
        return " | |"
    cases = report.of(row.tests)
    left_out = sum(not report.of([test]) for test in row.tests)
    more = f", {left_out} not run" if cases and left_out else ""
    return f" {outcome(cases)}{more} | {figures(cases)} |"


def summary(report: Report | None) -> str:
    """Which run of the tests the page shows."""
    if report is None:
        return (
            "This copy of the page was built without the report of a run, so its last columns "
            "are empty."
        )
    return (
        f"The results and figures are those of the run of {report.when}: "
        f"{outcome(report.cases)}, in {report.seconds / 60:.0f} minutes."
    )


def table_of_what_is_not_here(rows: Sequence[Promise]) -> str:
    """A Markdown table of the promises that are none here."""
    lines = ["| not here | why |", "|---|---|"]
    lines += [f"| {row.promise} | {row.not_here} |" for row in rows]
    return "\n".join(lines) + "\n"


def _tests(tests: Sequence[str]) -> str:
    """By file: each file once, with the names of its tests after it."""
    by_file: dict[str, list[str]] = {}
    for test in tests:
        file, _, name = test.partition("::")
        by_file.setdefault(file, []).append(name)
    return "; ".join(
        f"`{file}`"
        + "".join(f"{', ' if i else ': '}`{name}`" for i, name in enumerate(names) if name)
        for file, names in by_file.items()
    )

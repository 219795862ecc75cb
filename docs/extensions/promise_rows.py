"""What is promised, and which tests prove it: from ``promises*.yaml`` beside the pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from test_report import Report, figures, outcome

SOURCES = Path(__file__).resolve().parent.parent / "src"


class Promise(NamedTuple):
    """One row.

    :param page: the page with details; may be empty.
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


def of_pages(path: Path = SOURCES / "promises-by-page.yaml") -> list[Promise]:
    """The promises of single pages."""
    return [
        _promise({**row, "page": one["page"]})
        for one in yaml.safe_load(path.read_text(encoding="utf-8"))
        for row in one["rows"]
    ]


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

"""What a run of the tests found: outcomes, and the figures that tests recorded.

Read from the JUnit XML file that ``pytest --junitxml`` writes. A test records a figure with
pytest's fixture ``record_property``.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

REPORT = Path(__file__).resolve().parent.parent / "build" / "tests.xml"
LARGEST = ("seconds", "largest")  # of figures whose name begins so; all others add up


class Case(NamedTuple):
    """One test with one set of parameters.

    :param test: ``file::name``, the file from the folder of the tests, without parameters.
    :param outcome: ``"passed"``, ``"failed"`` or ``"skipped"``.
    :param figures: what it recorded.
    """

    test: str
    outcome: str
    figures: Mapping[str, str]


class Report(NamedTuple):
    """A run of the tests; ``when`` is the day, ``seconds`` the wall time."""

    when: str
    seconds: float
    cases: list[Case]

    def of(self, tests: Iterable[str]) -> list[Case]:
        """The cases of some tests; a file name alone means all tests in it."""
        wanted = set(tests)
        return [
            case
            for case in self.cases
            if case.test in wanted or case.test.partition("::")[0] in wanted
        ]


def read(path: Path = REPORT) -> Report | None:
    """The report; None where there is none."""
    if not path.is_file():
        return None
    suite = ElementTree.parse(path).getroot().find("testsuite")
    if suite is None:
        raise ValueError(f"{path} is not a report of pytest")
    cases = [_case(element) for element in suite.iter("testcase")]
    return Report(suite.get("timestamp", "")[:10], float(suite.get("time", "nan")), cases)


def _case(element: ElementTree.Element) -> Case:
    bad = [one.tag for one in element if one.tag in ("failure", "error")]
    skipped = element.find("skipped") is not None
    figures = {
        one.get("name", ""): one.get("value", "") for one in element.iterfind("properties/property")
    }
    outcome = "failed" if bad else "skipped" if skipped else "passed"
    return Case(_test(element), outcome, figures)


def _test(element: ElementTree.Element) -> str:
    # tests.faults.test_kills, or with a class behind it
    parts = [part for part in element.get("classname", "").split(".") if part[:1].islower()]
    file = "/".join(parts[1:] if parts[:1] == ["tests"] else parts)
    return f"{file}.py::{element.get('name', '').partition('[')[0]}"


def outcome(cases: Iterable[Case]) -> str:
    """``12 passed, 1 skipped``; of no case: ``not run``."""
    counts: dict[str, int] = {}
    for case in cases:
        counts[case.outcome] = counts.get(case.outcome, 0) + 1
    order = ("failed", "passed", "skipped")
    parts = [f"{counts[name]:,} {name}" for name in order if name in counts]
    return ", ".join(parts) or "not run"


def figures(cases: Iterable[Case]) -> str:
    """``kills survived: 10; seconds to the end: 3.2``: those of all cases, put together by name."""
    found: dict[str, list[str]] = {}
    for case in cases:
        for name, value in case.figures.items():
            found.setdefault(name, []).append(value)
    return "; ".join(f"{name}: {_together(name, values)}" for name, values in found.items())


def _together(name: str, values: list[str]) -> str:
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return " / ".join(dict.fromkeys(values))
    number = max(numbers) if name.startswith(LARGEST) else sum(numbers)
    return f"{number:,.0f}" if number == int(number) else f"{number:.3g}"

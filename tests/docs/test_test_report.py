"""What a run of the tests found stands on the page of promises, and nothing else does."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

EXTENSIONS = Path(__file__).resolve().parent.parent.parent / "docs" / "extensions"

TESTS = """
import pytest

@pytest.mark.parametrize("n", [4, 6])
def test_kills(n, record_property):
    record_property("kills survived", n)
    record_property("seconds to the end", n / 8)

class TestOthers:
    def test_bits(self, record_property):
        record_property("bits", "equal")

def test_wrong():
    assert False

def test_left_out():
    pytest.skip("no reason")
"""


@pytest.fixture(scope="module")
def rows() -> SimpleNamespace:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXTENSIONS))
        return SimpleNamespace(**runpy.run_path(str(EXTENSIONS / "promise_rows.py")))


@pytest.fixture(scope="module")
def reports() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(EXTENSIONS / "test_report.py")))


@pytest.fixture(scope="module")
def xml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a real run of a few tests."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "tests" / "faults").mkdir(parents=True)
    (folder / "tests" / "faults" / "test_some.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-n", "1", "--junitxml=r.xml"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 1, result.stdout  # one fails
    return folder / "r.xml"


def test_results_and_figures_are_those_of_the_report(
    rows: SimpleNamespace, reports: SimpleNamespace, xml: Path
) -> None:
    report = reports.read(xml)
    tests = [f"faults/test_some.py::{name}" for name in ("test_kills", "test_bits")]
    row = rows.Promise("p", "m", "", tuple(tests))
    assert (
        rows.table([row], report)
        .splitlines()[2]
        .endswith("| 3 passed | kills survived: 10; seconds to the end: 0.75; bits: equal |")
    )
    assert "1 failed, 3 passed, 1 skipped" in rows.summary(report)


def test_a_file_name_alone_means_all_its_tests(
    rows: SimpleNamespace, reports: SimpleNamespace, xml: Path
) -> None:
    found = reports.read(xml).of(["faults/test_some.py"])
    assert reports.outcome(found) == "1 failed, 3 passed, 1 skipped"


def test_a_test_that_did_not_run_is_reported(
    rows: SimpleNamespace, reports: SimpleNamespace, xml: Path
) -> None:
    row = rows.Promise("p", "m", "", ("faults/test_some.py::test_of_another_day",))
    report = reports.read(xml)
    assert rows.table([row], report).splitlines()[2].endswith("| not run |  |")
    row = row._replace(tests=(*row.tests, "faults/test_some.py::test_bits"))
    assert (
        rows.table([row], report).splitlines()[2].endswith("| 1 passed, 1 not run | bits: equal |")
    )


def test_without_a_report_nothing_is_claimed(
    rows: SimpleNamespace, reports: SimpleNamespace, tmp_path: Path
) -> None:
    assert reports.read(tmp_path / "none.xml") is None
    assert "without the report" in rows.summary(None)

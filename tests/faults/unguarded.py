"""Shows that guards matter: each is taken away from a copy of the source, and its test must fail.

    python tests/faults/unguarded.py [PATTERN]

``guards.yaml`` lists the guards. Exit code 1 if a test passes without its guard, or does not run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
GUARDS = Path(__file__).resolve().parent / "guards.yaml"
LIMIT = 600  # seconds; a test that hangs without its guard has not failed
CHILD = """
import os, sys, mtt
if not os.path.samefile(os.path.dirname(mtt.__file__), os.path.join(sys.argv[1], "mtt")):
    sys.exit(f"{mtt.__file__} was imported and not the copy")
import pytest
sys.exit(pytest.main(sys.argv[2:]))
"""


class Guard(NamedTuple):
    """A guard and the test that needs it.

    :param test: ``file::name`` from the folder of the tests.
    :param file: the file that holds the guard, from the root of the checkout.
    :param guard: its text, which stands once in the file.
    :param without: what takes its place.
    """

    test: str
    file: str
    guard: str
    without: str

    def taken_away(self) -> str:
        """The file without its guard."""
        text = (ROOT / self.file).read_text(encoding="utf-8")
        found = text.count(self.guard)
        if found != 1:
            raise SystemExit(f"{self.file}: {self.guard!r} stands {found} times in it")
        return text.replace(self.guard, self.without)


def read(path: Path = GUARDS) -> list[Guard]:
    """The guards of a list."""
    return [Guard(**entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))]


def verdict(guard: Guard) -> tuple[bool, str]:
    """Whether the test fails without its guard, and how it ended."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "src")
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        Path(folder, guard.file).write_text(guard.taken_away(), encoding="utf-8")
        report = Path(folder, "report.xml")
        options = ["-x", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        options += ["-c", str(ROOT / "pyproject.toml"), f"--rootdir={ROOT}"]
        arguments = [*options, str(ROOT / "tests" / guard.test)]
        try:
            done = subprocess.run(
                [sys.executable, "-c", CHILD, source, *arguments],
                env={**os.environ, "PYTHONPATH": str(source)},
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=LIMIT,
            )
        except subprocess.TimeoutExpired:
            return False, f"no end within {LIMIT} s"
        if not report.exists():
            return False, f"did not run: {(done.stderr or done.stdout).strip()[-200:]}"
        return judged(report, done.returncode)


def judged(report: Path, code: int) -> tuple[bool, str]:
    """From pytest's report: failures within a test count, errors outside of one do not."""
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    failures = [failure for suite in suites for failure in suite.iter("failure")]
    errors = [error for suite in suites for error in suite.iter("error")]
    if code == 1 and failures and not errors:
        return True, f"fails: {failures[0].get('message', '').strip()}"
    if code == 0:
        skipped = any(list(suite.iter("skipped")) for suite in suites)
        return False, "was skipped" if skipped else "PASSES without its guard"
    told = [error.get("message", "").strip() for error in errors]
    return False, f"error outside of a test: {', '.join(told)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all guards, or those whose entry holds a text."""
    parser = argparse.ArgumentParser(description="Take guards away; their tests must fail.")
    parser.add_argument("pattern", nargs="?", default="", help="part of a test's or file's name")
    parser.add_argument("--guards", type=Path, default=GUARDS, help="another list of guards")
    options = parser.parse_args(arguments)
    guards = [guard for guard in read(options.guards) if options.pattern in " ".join(guard)]
    if not guards:
        parser.error(f"no guard has {options.pattern!r}")
    matter = 0
    for guard in guards:
        fails, how = verdict(guard)
        matter += fails
        first, *_ = how.splitlines()
        print(f"{'ok ' if fails else 'BAD'} {guard.test}\n    {guard.file}: {first}", flush=True)
    print(f"{matter} of {len(guards)} tests fail without their guards")
    return int(matter < len(guards))


if __name__ == "__main__":
    sys.exit(main())

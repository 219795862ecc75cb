"""The list of guards is one that can be tried, and trying it tells the truth."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent


@pytest.fixture(scope="module")
def unguarded() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(HERE / "unguarded.py")))


def test_every_guard_can_be_taken_away(unguarded: SimpleNamespace) -> None:
    guards = unguarded.read()
    assert guards
    assert len({(guard.test, guard.guard) for guard in guards}) == len(guards)
    for guard in guards:
        changed = guard.taken_away()
        assert changed != (TESTS.parent / guard.file).read_text(encoding="utf-8"), guard
        ast.parse(changed, filename=guard.file)


def test_every_test_of_a_guard_exists(unguarded: SimpleNamespace) -> None:
    missing = []
    for guard in unguarded.read():
        file, _, name = guard.test.partition("::")
        function = re.escape(name.partition("[")[0])
        text = (TESTS / file).read_text(encoding="utf-8") if (TESTS / file).is_file() else ""
        if not re.search(rf"^def {function}\(", text, re.MULTILINE):
            missing.append(guard.test)
    assert missing == []


TRIAL = """
import pytest
from mtt.errors import did_you_mean

@pytest.fixture
def broken():
    assert did_you_mean("cutof", ["cutoff"])

def test_a_near_name_is_offered():
    assert did_you_mean("cutof", ["cutoff"]) == "did you mean 'cutoff'?"

def test_of_something_else():
    assert did_you_mean("", []) == ""

def test_whose_fixture_fails(broken):
    pass
"""


def test_what_passes_or_does_not_run_without_its_guard_is_reported(tmp_path: Path) -> None:
    (tmp_path / "test_trial.py").write_text(TRIAL)
    guard = {"file": "src/mtt/errors.py", "guard": "if close else", "without": "if False else"}
    entries: list[dict[str, Any]] = [
        {"test": f"{tmp_path}/test_trial.py::{name}", **guard}
        for name in (
            "test_a_near_name_is_offered",
            "test_of_something_else",
            "test_whose_fixture_fails",
        )
    ]
    (tmp_path / "guards.yaml").write_text(yaml.safe_dump(entries))
    command = [
        sys.executable,
        str(HERE / "unguarded.py"),
        "--guards",
        str(tmp_path / "guards.yaml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert [line[:3] for line in lines[::2]] == ["ok ", "BAD", "BAD", "1 o"], done
    assert "PASSES without its guard" in lines[3]
    assert "error outside of a test" in lines[5]
    assert done.returncode == 1

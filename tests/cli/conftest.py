"""Commands run in this process, in an empty folder; one model is trained for all tests."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mtt.cli.main import run


class Outcome(NamedTuple):
    """What a command leaves behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test runs in an empty folder, where lines are wide enough not to break."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def mtt(capsys: pytest.CaptureFixture[str]) -> Command:
    """``mtt("train", "options.yaml")``: the exit code, and what was printed."""

    def mtt(*arguments: str | Path) -> Outcome:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return mtt


@pytest.fixture
def write() -> Callable[..., Path]:
    """Write options (JSON is YAML) into the folder of the test."""

    def write(options: Any, name: str = "options.yaml") -> Path:
        Path(name).write_text(json.dumps(options, indent=1), encoding="utf-8")
        return Path(name)

    return write


@pytest.fixture(scope="session")
def trained(tiny_options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished ``mtt train options.yaml``; its files are only to be read."""
    folder = tmp_path_factory.mktemp("trained")
    Path(folder, "options.yaml").write_text(json.dumps(copy.deepcopy(tiny_options), indent=1))
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert run(["train", "options.yaml"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def listing(here: Path) -> Callable[[], dict[str, bytes]]:
    """The content of every file below the folder of the test, by name."""

    def listing() -> dict[str, bytes]:
        files: Sequence[Path] = sorted(here.rglob("*"))
        return {str(path): path.read_bytes() if path.is_file() else b"" for path in files}

    return listing


@pytest.fixture
def refused(mtt: Command, listing: Callable[[], dict[str, bytes]]) -> Callable[..., str]:
    """Run a command that must fail: its one message; the disk is as it was."""

    def refused(*arguments: str | Path) -> str:
        before = listing()
        done = mtt(*arguments)
        assert done.code == 1, done.err
        assert done.err.count("error: ") == 1
        assert "Traceback" not in done.out + done.err
        assert listing() == before
        return str(done.err)

    return refused

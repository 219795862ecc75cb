"""Exported files are verified in forks of a process that has imported torch and metatomic.

A plugin of pytest, and the script of that process. A fork knows as little as a process that python
starts (:func:`mtt.exporting.verify.run_probe`), which takes three seconds more. Tests that are
marked with ``fresh_process`` verify as users do.

    python forking.py MODULE ...

imports the modules. For each line of its input, a JSON list of a folder, a file for errors, a
script and its arguments, it runs the script in a fork, and prints its exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from functools import cache
from typing import Any, NoReturn

IMPORTED = ("torch", "metatomic.torch")  # those of the script that verifies


def pytest_configure(config: Any) -> None:
    line = "fresh_process: exported files are verified in a process that python starts"
    config.addinivalue_line("markers", line)


def pytest_runtest_setup(item: Any) -> None:
    """Nothing is imported here: tests that export nothing do not wait."""
    verify = sys.modules.get("mtt.exporting.verify")
    if verify is not None:
        own = _own.setdefault("_run", verify._run)
        is_fresh = item.get_closest_marker("fresh_process") is not None
        verify._run = own if is_fresh else in_a_fork  # type: ignore[attr-defined]


_own: dict[str, Any] = {}


def in_a_fork(command: Sequence[str]) -> tuple[int, str]:
    """Exit code and standard error of ``python -P SCRIPT ARGUMENT ...``."""
    python, option, *words = command
    assert (python, option) == (sys.executable, "-P")
    process = server()
    assert process.stdin is not None
    assert process.stdout is not None
    with tempfile.NamedTemporaryFile("r") as errors:
        process.stdin.write(json.dumps([os.getcwd(), errors.name, *words]) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline()), errors.read()


@cache
def server() -> subprocess.Popen[str]:
    """One for each process of pytest; it ends when its input does."""
    command = [sys.executable, "-P", __file__, *IMPORTED]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


def main() -> None:
    for module in sys.argv[1:]:
        importlib.import_module(module)
    for line in sys.stdin:
        folder, errors, *words = json.loads(line)
        child = os.fork()
        if not child:
            run(folder, errors, words)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def run(folder: str, errors: str, words: list[str]) -> NoReturn:
    """As ``python -P WORDS`` in a folder."""
    code: Any = 1
    for name, number in ((os.devnull, 0), (os.devnull, 1), (errors, 2)):
        os.dup2(os.open(name, os.O_RDWR), number)
    try:
        os.chdir(folder)
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
        code = 0
    except BaseException:  # noqa: BLE001 - python prints it and ends
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()

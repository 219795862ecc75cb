"""Scripts that run in forks of a process that has imported torch and metatomic.

A plugin of pytest, and the script of that process. A fork knows as little as a process that python
starts, which takes five seconds more. Exported files are verified in one
(:func:`mtt.exporting.verify.run_probe`), except in tests that are marked with ``fresh_process``;
the fixture ``forked`` runs the scripts of tests.

    python forking.py MODULE ...

imports the modules. For each line of its input, a JSON list of a folder, an environment, files for
output and errors, a script and its arguments, it runs the script in a fork, and prints its exit
code.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import select
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NoReturn

# the script that verifies needs the first two, every optimizer the last one
IMPORTED = ("torch", "metatomic.torch", "torch._dynamo")
LIMIT = 900.0  # seconds, also on a loaded machine


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
    done = forked(*words)
    return done.returncode, done.stderr


def forked(*words: object) -> subprocess.CompletedProcess[str]:
    """``python -P SCRIPT ARGUMENT ...`` in this folder, at its end."""
    process = server()
    assert process.stdin is not None
    assert process.stdout is not None
    given = [str(word) for word in words]
    with tempfile.NamedTemporaryFile("r") as output, tempfile.NamedTemporaryFile("r") as errors:
        place = [os.getcwd(), dict(os.environ), output.name, errors.name]
        process.stdin.write(json.dumps([*place, *given]) + "\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], LIMIT)[0]:
            process.kill()
            server.cache_clear()
            raise subprocess.TimeoutExpired(given, LIMIT)
        code = int(process.stdout.readline())
        return subprocess.CompletedProcess(given, code, output.read(), errors.read())


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
        folder, environment, output, errors, *words = json.loads(line)
        child = os.fork()
        if not child:
            run(folder, environment, (os.devnull, output, errors), words)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def run(
    folder: str, environment: Mapping[str, str], files: Sequence[str], words: list[str]
) -> NoReturn:
    """As ``python -P WORDS`` in a folder, with input, output and errors from and to ``files``."""
    code: Any = 1
    for number, name in enumerate(files):
        os.dup2(os.open(name, os.O_RDWR), number)
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code or 0
        if isinstance(code, str):
            sys.stderr.write(code)
            code = 1
    except BaseException:  # noqa: BLE001 - python prints it and ends
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()

"""Commands that get a signal at a chosen moment; see test_signals.py.

    python tests/faults/signalled.py SCENARIOS

``SCENARIOS`` is JSON, a list of ``[folder, arguments, signals]``. A signal, ``[function, call,
name, pause]``, is sent when ``function`` (where its caller finds it) is called for the ``call``-th
time, after ``pause`` seconds. Every command runs in a forked process, one after the other. What
came of each is printed as JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import torch
import torch._dynamo  # by every optimizer; once, before the forks

import mtt.checking
import mtt.workflows  # noqa: F401 - as above
from mtt.checkpoint import find_latest_run, read
from mtt.checkpoint.format import progress
from mtt.cli.main import run


def send(signals: list[list[Any]], report: int) -> None:
    """Let this process send itself the signals, the next one after the one before."""
    (function, call, number, pause), *others = signals
    path, _, name = function.rpartition(".")
    owner = resolve_name(path)
    real, calls = getattr(owner, name), itertools.count(1)

    def called(*arguments: Any, **options: Any) -> Any:
        if next(calls) == call:
            setattr(owner, name, real)
            if others:
                send(others, report)
            time.sleep(pause)
            os.write(report, f"{time.monotonic()}\n".encode())
            os.kill(os.getpid(), signal.Signals[number])
        return real(*arguments, **options)

    setattr(owner, name, called)


def outcome(folder: str, arguments: list[str], signals: list[list[Any]]) -> dict[str, Any]:
    """What a command says, and what stands in the folder after it.

    ``seconds`` are those since the last signal; ``progress`` is that of the newest checkpoint.
    """
    times, report = os.pipe()
    errors = Path(folder, "stderr")
    process = os.fork()
    if process == 0:
        os.chdir(folder)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if signals:
            send(signals, report)
        code = run(arguments)
        os._exit(code)
    os.close(report)
    _, status = os.waitpid(process, 0)
    end = time.monotonic()
    with os.fdopen(times) as stream:
        sent = [float(line) for line in stream]
    newest = find_latest_run(Path(folder, "outputs"))
    return {
        "code": os.waitstatus_to_exitcode(status),
        "said": errors.read_text().splitlines(),
        "seconds": end - sent[-1] if sent else 0.0,
        "sent": len(sent),
        "files": sorted(str(one.relative_to(folder)) for one in Path(folder).rglob("*.*")),
        "progress": progress(read(newest.path)) if newest.path else None,
        "damaged": len(newest.damaged),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.stdout.write(json.dumps([outcome(*one) for one in json.loads(sys.argv[1])]))

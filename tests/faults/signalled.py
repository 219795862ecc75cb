"""Commands that get a signal at a chosen moment; see test_signals.py.

    python tests/faults/signalled.py SCENARIOS

``SCENARIOS`` is JSON, a list of ``[folder, arguments, signals]``. A signal, ``[function, call,
name, pause]``, is sent when ``function`` (module and name) is called for the ``call``-th time,
after ``pause`` seconds. Every command runs in a forked process of its own, one after the other.
What came of each is printed as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import torch._dynamo  # by every optimizer; once, before the forks

from mtt.checkpoint import find_latest_run, read
from mtt.checkpoint.format import progress
from mtt.cli.main import run


class Sender:
    """Watches the calls of this process and sends it the signals, each at its call."""

    def __init__(self, signals: list[list[Any]], report: int) -> None:
        self.waiting, self.calls, self.report = list(signals), Counter[str](), report

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event != "call":
            return
        module = frame.f_globals.get("__name__", "")
        name = f"{module}.{frame.f_code.co_qualname}"
        function, call, number, pause = self.waiting[0]
        if name != function:
            return
        self.calls[name] += 1
        if self.calls[name] == call:
            self.waiting.pop(0)
            if not self.waiting:
                sys.setprofile(None)  # it takes time
            time.sleep(pause)
            os.write(self.report, f"{time.monotonic()}\n".encode())
            os.kill(os.getpid(), signal.Signals[number])


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
        sys.setprofile(Sender(signals, report) if signals else None)
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

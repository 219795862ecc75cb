"""Child processes: what they print, when, and what they use."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEPT_LINES = 25  # of the output of a program that failed


class Failed(Exception):
    """A program that did not do what it was started for; the text is the reason."""


@dataclass(frozen=True)
class Finished:
    """A program that ended well.

    :param seconds: wall time from its start to its end.
    :param arrivals: seconds from its start to each line that ends an epoch.
    :param peak_mb: largest resident memory of the process and its children, MB.
    """

    seconds: float
    arrivals: list[float]
    peak_mb: float
    output: str


def environment(threads: int) -> dict[str, str]:
    """Variables of a child that computes on ``threads`` threads."""
    count = str(threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    here = str(Path(__file__).resolve().parent / "inside")
    return {
        **os.environ, **dict.fromkeys(names, count),
        "PYTHONUNBUFFERED": "1", "PYTHONPATH": here, "WANDB_MODE": "disabled",
        # what is compiled is compiled in every run, as in the first one of a user
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
    }  # fmt: skip


def run(
    command: list[str], folder: Path, threads: int, limit: float, epoch: str | None = None
) -> Finished:
    """Run a command in ``folder``; its output goes to ``output.txt`` there, too.

    :param limit: seconds, after which it is ended.
    :param epoch: regular expression of the lines that end an epoch.
    :raises Failed: it ended with an error, or had to be ended.
    """
    pattern = None if epoch is None else re.compile(epoch)
    lines: list[str] = []
    arrivals: list[float] = []
    start = time.perf_counter()
    try:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(threads), text=True, bufsize=1, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Failed(f"{shown(command)}: {error.strerror}") from error
    ended = threading.Event()
    timer = threading.Timer(limit, _end, (process.pid, ended))
    timer.start()
    try:
        assert process.stdout is not None
        with process.stdout, (folder / "output.txt").open("a", encoding="utf-8") as file:
            for line in process.stdout:
                lines.append(line)
                file.write(line)
                if pattern is not None and pattern.search(line):
                    arrivals.append(time.perf_counter() - start)
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        _end(process.pid, ended)
        raise
    finally:
        timer.cancel()
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    output = "".join(lines)
    if process.returncode != 0:
        why = f"ended after {limit:.0f} s" if ended.is_set() else f"exit {process.returncode}"
        raise Failed(f"{why}: {shown(command)}\n{''.join(lines[-KEPT_LINES:])}")
    return Finished(seconds, arrivals, usage.ru_maxrss / 1024, output)


def shown(command: list[str]) -> str:
    """A command without the folders of this machine."""
    return shlex.join([Path(part).name if Path(part).is_absolute() else part for part in command])


def told(finished: Finished) -> dict[str, Any]:
    """The JSON that a script of ``inside`` prints; libraries may print around it.

    :raises Failed: there is none.
    """
    lines = [line for line in finished.output.splitlines() if line.startswith("{")]
    if not lines:
        raise Failed(f"no answer in its output\n{finished.output[-2000:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def _end(pid: int, ended: threading.Event) -> None:
    ended.set()
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return

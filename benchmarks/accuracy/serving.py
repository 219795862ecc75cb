"""Processes that keep a model loaded and time calls of it when they are asked to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

from running import Failed, environment

ANSWER_LIMIT = 900.0  # seconds that a round may take, compilation in the first one included


class Server:
    """``inside/serve.py`` in a process of its own; to be closed.

    :param log: file in ``folder`` for what it prints besides.
    """

    def __init__(self, command: list[str], folder: Path, threads: int, log: str) -> None:
        self._log = folder / log
        self._errors = self._log.open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment(threads), text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            start_new_session=True,
        )  # fmt: skip

    def calls(self, n: int) -> list[float]:
        """Seconds of each of ``n`` calls.

        :raises Failed: the process has ended, or does not answer.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        timer = threading.Timer(ANSWER_LIMIT, self._kill)
        timer.start()
        try:
            self._process.stdin.write(f"{n}\n")
            self._process.stdin.flush()
            for line in self._process.stdout:
                if line.startswith("seconds "):
                    seconds: list[float] = json.loads(line.removeprefix("seconds "))
                    return seconds
        except BrokenPipeError:
            pass  # it has ended: what it wrote before tells why
        finally:
            timer.cancel()
        self.close()
        raise Failed(f"exit {self._process.returncode}\n{self._log.read_text()[-2000:]}")

    def close(self) -> None:
        """End the process."""
        self._kill()
        self._process.wait()
        self._errors.close()

    def _kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

"""Stopping a training from outside, without losing it."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mtt.errors import TrainingError

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class TrainingInterrupted(TrainingError):
    """The training was stopped by a signal, and saved.

    :param exit_code: what the process should return: 128 plus the signal's number.
    """

    def __init__(self, what: str, *, exit_code: int, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.exit_code = exit_code


class StopFlag:
    """Set by the first signal; read after every batch."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def set(self, number: int, frame: FrameType | None) -> None:
        """The signal handler. A second signal stops at once; the last checkpoint is whole."""
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
        logger.warning("%s: saving after this batch; once more to stop at once", self.signal.name)


@contextmanager
def watch_signals() -> Iterator[StopFlag]:
    """Catch SIGTERM and SIGINT within the block; the handlers before it come back after it.

    Python delivers signals to the main thread only: elsewhere the flag never rises.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = {number: signal.signal(number, flag.set) for number in SIGNALS}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

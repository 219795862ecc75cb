"""Signals ask a command to stop; long work checks for one between two pieces.

A handler that did more than raise a flag could interrupt a write, or leave a lock held. So
:func:`watch_signals` only remembers the signal, and loops over data call :func:`stop_if_asked`
once per piece.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, Literal

EXIT_CODES = {
    signal.SIGINT: 130,  # as a shell has it: 128 + the number of the signal
    signal.SIGTERM: 143,
    # what queues send before a limit; one code for all signals of a queue, and for max_time
    signal.SIGUSR1: 143,
}
REPEATED = 1.0  # seconds; `timeout` and terminals signal the process and its group

How = Literal["between", "later", "at once"]


class Stopped(BaseException):
    """A signal or a time limit has stopped the command.

    It is not an ``Exception``, so handlers of errors of data, loggers or an author's code
    pass it on.

    :param what: what was stopped, by what.
    :param exit_code: what the process should return.
    :param hint: how to resume.
    """

    def __init__(self, what: str, *, exit_code: int, hint: str = "") -> None:
        super().__init__(f"{what}; {hint}" if hint else what)
        self.what = what
        self.exit_code = exit_code
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), exit_code=self.exit_code, hint=self.hint), (self.what,)


class StopFlag:
    """Raised by the first signal.

    :param report: called with one sentence by the handler: it may not print into a buffer.
    """

    def __init__(self, report: Callable[[str], None] = lambda text: None) -> None:
        self.signal: signal.Signals | None = None
        self.started = time.monotonic()
        self.how: How = "between"
        self._report = report
        self._asked = 0.0

    @property
    def number(self) -> int:
        """Of the signal that came; 0 where none did."""
        return 0 if self.signal is None else int(self.signal)

    @property
    def exit_code(self) -> int:
        """Of the signal that came."""
        assert self.signal is not None, "no signal came"
        return EXIT_CODES[self.signal]

    def set(self, number: int, frame: FrameType | None) -> None:
        """The signal handler. A second signal stops at once; files are complete at any time."""
        now = time.monotonic()
        if self.signal is None:
            self.signal, self._asked = signal.Signals(number), now
            if self.how != "at once":
                self._report(f"{self.signal.name}: stopping; once more to stop at once")
                return
        elif now - self._asked < REPEATED:
            return
        asked = signal.Signals(number)
        raise Stopped(f"stopped at once by {asked.name}", exit_code=EXIT_CODES[asked])


_flag: StopFlag | None = None
_pieces = 0


def pieces_done() -> int:
    """How often :func:`stop_if_asked` was called: a process whose number grows is at work."""
    return _pieces


@contextmanager
def watch_signals(
    how: How = "between", report: Callable[[str], None] = lambda text: None
) -> Iterator[StopFlag]:
    """Catch SIGTERM, SIGINT and SIGUSR1 in the block; the handlers before it come back after it.

    Blocks within one another share the flag of the outermost, which alone touches the handlers.
    Python delivers signals to the main thread only: in others the flag is never raised.

    :param how: what a signal does in this block: raise at the next :func:`stop_if_asked`, or
        ``"later"``, because the block checks the flag and has to save first, or ``"at once"``,
        because the block does not check it.
    """
    global _flag
    outermost = _flag is None
    flag = StopFlag(report) if _flag is None else _flag
    outer, flag.how = flag.how, how
    try:
        if outermost and threading.current_thread() is threading.main_thread():
            with _handled_by(flag):
                yield flag
        else:
            yield flag
    finally:
        flag.how = outer


@contextmanager
def _handled_by(flag: StopFlag) -> Iterator[None]:
    global _flag
    before = {number: signal.signal(number, flag.set) for number in EXIT_CODES}
    _flag = flag
    try:
        yield
    finally:
        _flag = None
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_if_asked() -> None:
    """End here if a signal came: called between two pieces of work, with nothing half done.

    :raises Stopped: one came.
    """
    global _pieces
    _pieces += 1
    if _flag is None or _flag.signal is None or _flag.how == "later":
        return
    what = f"stopped by {_flag.signal.name}"
    raise Stopped(what, exit_code=_flag.exit_code, hint="nothing half-made is left behind")


def _in_a_child() -> None:
    """A forked process has no checkpoint to save: signals end it, as they end any other."""
    global _flag
    if _flag is not None:
        _flag = None
        for number in EXIT_CODES:
            signal.signal(number, signal.SIG_DFL)


os.register_at_fork(after_in_child=_in_a_child)

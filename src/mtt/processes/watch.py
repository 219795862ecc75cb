"""A thread of every rank that ends it where the others have ended, or where one of them hangs.

A rank that waits for the others cannot look for itself. So each has a thread, which meets those
of the others at a store: it counts what is done, and says there why a rank has ended.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from mtt.ranks import RankError
from mtt.stopping import pieces_done

if TYPE_CHECKING:
    from torch.distributed import Store

log = logging.getLogger(__name__)

END = "end"
"""Key of the store: why the ranks end, in one line; empty where a rank has said it by itself."""
PROGRESS = "progress"
FAILED = "failed"
"""Key of the store, with the number of a rank: the error by which it ends."""

FAILURES = "failures"
"""Key of the store: how many ranks end by an error."""
STUCK = "stuck"
"""Key of the store: the first rank waits for one that has failed, and has no error itself."""

GRACE = 5.0
"""Seconds that a rank has to end by itself, and to say why."""

LOST = 1.0
"""Seconds to wait for the reason of a lost connection: a rank says it before it ends."""


class Watch(threading.Thread):
    """Watches over one rank.

    :param store: which all ranks can reach.
    :param name: of the rank, for messages: ``rank 1 on node7``.
    :param launched: the store is that of a launcher, not of the first rank.
    """

    def __init__(
        self, store: Store, rank: int, size: int, name: str, launched: bool = False
    ) -> None:
        super().__init__(name="mtt-watch", daemon=True)
        self.timeout = 600.0
        self.unexplained = False
        self._store, self._rank, self._size, self._place = store, rank, size, name
        self._launched = launched
        self._since = time.monotonic()  # of the present wait, or of the present work
        self._waiting, self._waits = False, 0
        self._closed = threading.Event()
        self._published, self._progress, self._moved = -1, 0, time.monotonic()
        self._ending = self._lost = 0.0  # since when

    def waits(self, waiting: bool) -> None:
        """The rank begins, or ends, to wait for the others."""
        self._waiting, self._since = waiting, time.monotonic()
        self._waits += 1

    def raise_reason(self) -> None:
        """Wait a moment, once, until another rank says why it has ended.

        One that was killed says nothing: then :attr:`unexplained` is set.

        :raises RankError: it has.
        """
        others = [i for i in range(self._size) if i != self._rank]
        ended: list[int] = []

        def find() -> bool:
            ended[:] = [i for i in others if self._store.check([f"{FAILED} {i}"])]
            return bool(ended)

        with suppress(RuntimeError):  # the store is gone, with the rank that had it
            if waited(find, 0.0 if self.unexplained else LOST):
                said, code = json.loads(self._store.get(f"{FAILED} {ended[0]}"))
                raise RankError(f"rank {ended[0]} has ended: {said}", exit_code=code)
        self.unexplained = True

    def close(self) -> None:
        """The rank ends as it should."""
        self._closed.set()
        self.join(GRACE)

    def run(self) -> None:
        while not self._closed.wait(min(1.0, self.timeout / 5)):
            try:
                self._look()
            except (RuntimeError, ValueError):
                if not self._closed.is_set():
                    self._without_store()

    def _without_store(self) -> None:
        """The launcher, or the first rank, has ended, and the store with it."""
        now = time.monotonic()
        if not self._lost:
            self._lost = now
            if self._launched:  # save, and end: a launcher that starts again finds the run free
                os.kill(os.getpid(), signal.SIGTERM)
        late = now - self._lost > self.timeout
        if self._ending or late or self._has_waited(2 * GRACE):
            os._exit(1)

    def _look(self) -> None:
        done = self._waits + pieces_done()
        if done != self._published:
            self._published = done
            self._store.add(PROGRESS, 1)
        if self._store.check([END]):
            self._end(self._store.get(END).decode())
        elif self._rank and self._has_waited(2 * GRACE) and self._store.check([f"{FAILED} 0"]):
            os._exit(1)  # nothing is left to wait for
        elif self._waiting:
            if self._rank == 0 and self._has_waited(1.0) and self._store.add(FAILURES, 0):
                self._store.set(STUCK, "")
            self._look_for_a_hang()

    def _look_for_a_hang(self) -> None:
        progress = self._store.add(PROGRESS, 0)
        now = time.monotonic()
        if progress != self._progress:
            self._progress, self._moved = progress, now
        if min(now - self._moved, now - self._since) > self.timeout:
            what = f"no sign of life for {self.timeout:g} s (rank_timeout)"
            self._store.compare_set(END, "", what)

    def _has_waited(self, seconds: float) -> bool:
        return self._waiting and time.monotonic() - self._since > seconds

    def _end(self, reason: str) -> None:
        now = time.monotonic()
        if not self._ending:
            self._ending = now
            if reason:
                self._show_where(reason)
        if reason or (self._waiting and now - self._ending > GRACE):
            os._exit(1)

    def _show_where(self, reason: str) -> None:
        """Print the stacks of this rank; one of them says why."""
        state = "waits for the others" if self._waiting else "does not answer"
        seconds = time.monotonic() - self._since
        self._store.set(f"state {self._rank}", "waits" if self._waiting else "works")
        os.write(2, f"\n{self._place} {state}, since {seconds:.0f} s; it is here:\n".encode())
        faulthandler.dump_traceback(sys.__stderr__ or 2, all_threads=True)
        # until all have said where they are; the first rank, which has the log, speaks first
        pause = min(GRACE, max(1.0, self.timeout / 2))
        time.sleep(pause if self._rank == 0 else pause + 1.0)
        if self._store.compare_set("said", "", str(self._rank)) == str(self._rank).encode():
            text = f"{self._culprits()}: {reason}; the last checkpoint is valid"
            log.error("%s", text)
            if self._rank:
                os.write(2, f"error: {text}\n".encode())
        time.sleep(0.5)

    def _culprits(self) -> str:
        """The ranks that do not wait for others."""
        silent = [i for i in range(self._size) if not self._says(i, b"waits")]
        return f"rank {', '.join(map(str, silent))}" if silent else "all ranks"

    def _says(self, rank: int, what: bytes) -> bool:
        key = f"state {rank}"
        return bool(self._store.check([key])) and self._store.get(key) == what


def waited(ready: Callable[[], bool], seconds: float) -> bool:
    """Whether ``ready`` comes to be true within ``seconds``."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True

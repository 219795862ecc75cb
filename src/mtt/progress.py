"""Long work reports its progress; other modules decide whether and how it is shown.

Loops over structures are wrapped in :func:`watched`, or call a :class:`Work` themselves.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

T = TypeVar("T")

INTERVAL = 0.1
"""Seconds between two reports of one piece of work."""

LONG = 10.0
"""Seconds from which a piece of work without steps has a line in the log."""

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """A function that is called with the state of a piece of work."""

    def __call__(self, work: str, count: int, share: float | None) -> None:
        """Show that ``count`` pieces of ``work`` are done.

        :param share: of the whole, in [0, 1]; None where it is not known.
        """

    def over(self, work: str) -> None:
        """``work`` is done."""


_watchers: list[Watcher] = []


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Call ``watcher`` for all work of the block."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


class Work:
    """A piece of work: called for every step of it, with ``over`` when it is done.

    The watchers are called by the first step, then every ``INTERVAL`` seconds. What is given up
    by an error need not be over: the block that watches takes everything away when it is left.

    :param name: what is done, such as ``reading train.xyz``.
    """

    def __init__(self, name: str) -> None:
        self._name, self._due = name, 0.0

    def __call__(self, count: int, share: float | None = None) -> None:
        """``count`` pieces are done, and ``share`` of the whole where that is known."""
        if _watchers and (now := time.monotonic()) >= self._due:
            self._due = now + INTERVAL
            for watcher in tuple(_watchers):
                watcher(self._name, count, share)

    def over(self) -> None:
        """All of it is done."""
        for watcher in tuple(_watchers):
            watcher.over(self._name)


@contextmanager
def working(name: str) -> Iterator[None]:
    """The block is a piece of work without steps; a line in the log gives its time if it is long.

    :param name: what is done, such as ``fitting baselines``.
    """
    work, start = Work(name), time.monotonic()
    work(0)
    try:
        yield
    finally:
        work.over()
    if (seconds := time.monotonic() - start) >= LONG:
        log.info("%s took %.0f s", name, seconds)


def watched(
    items: Iterable[T], name: str, share: Callable[[], float | None] = lambda: None
) -> Iterator[T]:
    """``items``, one by one, each of them a step of the work ``name``.

    :param share: of the whole that is done by now.
    """
    work = Work(name)
    for count, item in enumerate(items):
        work(count, share())
        yield item
    work.over()

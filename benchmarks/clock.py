"""A clock that is handed from one part of a program to the next."""

from __future__ import annotations

import contextlib
import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any


class Clock:
    """Time spent in the named parts of a program, each without the parts inside it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside: list[str] = []
        self._last = 0.0

    def _turn(self) -> None:
        at = time.perf_counter()
        if self._inside:
            self.seconds[self._inside[-1]] += at - self._last
        self._last = at

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._turn()
        self._inside.append(name)
        try:
            yield
        finally:
            self._turn()
            self._inside.pop()

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return function(*args, **kwargs)

        return timed

    def along(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``around`` for a function that yields."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Iterator[Any]:
            items, end = iter(function(*args, **kwargs)), object()
            while True:
                with self.part(name):
                    item = next(items, end)
                if item is end:
                    return
                yield item

        return timed

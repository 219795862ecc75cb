"""How far long work is, on a terminal: a bar, the rate, the time left; nothing in pipes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mtt import progress
from mtt.cli.render import terminal

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, Task, TaskID

_RATE_AFTER = 1.0  # seconds of work, before which a rate says little
_ELAPSED = len("59 min 59 s")


def duration(seconds: float) -> str:
    """``8 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``: two units at most."""
    whole = max(0, round(seconds))
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {smaller}"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def _fitted(text: str, room: int) -> str:
    """``text`` with its middle left out where it is too long: a path is known by its end."""
    if len(text) <= room:
        return text
    first = text.split(" ", 1)[0][: max(room - 2, 0)]
    rest = max(room - len(first) - 2, 0)
    return f"{first} …{text[len(text) - rest :]}" if rest else first


def _left_column() -> ProgressColumn:
    """The time left; of work without steps, the time that it has taken so far."""
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Left(ProgressColumn):
        def render(self, task: Task) -> Text:
            left, began = task.fields["left"], task.fields["began"]
            known = left or task.total is not None
            return Text(left if known else duration(time.monotonic() - began))

    return Left()


class Bars:
    """A bar for every piece of work that runs; gone when it is done."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, tuple[float, int, float]] = {}
        self._off, self._room = False, 80

    def __call__(self, work: str, count: int, share: float | None) -> None:
        if self._bars is None and not self._off:
            self._start()
        if self._bars is None:
            return
        if work not in self._tasks:
            now = time.monotonic()
            add = self._bars.add_task
            self._tasks[work] = add(work, total=None, count="", left="", began=now)
            self._began[work] = (now, count, share or 0.0)
        total = None if share is None else 1.0
        rate, left = self._speed(work, count, share)
        done = f"{count:,}{rate}" if count or share is not None else ""
        self._bars.update(
            self._tasks[work],
            description=_fitted(work, self._room - len(done) - (len(left) or _ELAPSED)),
            completed=share or 0.0,
            total=total,
            count=done,
            left=left,
            refresh=True,
        )

    def over(self, work: str) -> None:
        """Take the bar of ``work`` off the terminal."""
        task = self._tasks.pop(work, None)
        if self._bars is not None and task is not None:
            self._bars.remove_task(task)
            if not self._tasks:
                self.stop()

    def stop(self) -> None:
        """Take all bars off the terminal."""
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._tasks = None, {}

    def _speed(self, work: str, count: int, share: float | None) -> tuple[str, str]:
        """Pieces per second and the time left; empty where they are not known yet."""
        start, first, before = self._began[work]
        elapsed = time.monotonic() - start
        if elapsed < _RATE_AFTER or count <= first:
            return "", ""
        rate = f", {(count - first) / elapsed:,.3g}/s"
        if share is None or share <= before:
            return rate, ""
        return rate, f"{duration(elapsed * (1.0 - share) / (share - before))} left"

    def _start(self) -> None:
        console = terminal.rich_console()
        if not console.is_terminal or terminal.is_quiet():
            self._off = True
            return
        from rich.errors import LiveError
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        width = int(console.width)
        bar = min(20, width // 6) if width >= 50 else 0
        self._room = width - bar - 4  # blanks between columns
        words = ("{task.description}", "{task.fields[count]}")
        texts = [
            TextColumn(word, markup=False, table_column=Column(no_wrap=True)) for word in words
        ]
        bars = Progress(
            texts[0],
            *([BarColumn(bar_width=bar)] if bar else []),
            texts[1],
            _left_column(),
            console=console,
            transient=True,
        )
        try:
            bars.start()
        except LiveError:  # a table of checks is being shown
            return
        self._bars = bars


@contextmanager
def bars() -> Iterator[None]:
    """Show what long work of the block is at."""
    shown = Bars()
    try:
        with progress.watching(shown):
            yield
    finally:
        shown.stop()

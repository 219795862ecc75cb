"""What is shown of a training: tables anywhere, on a terminal how far it is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mtt.cli.render import terminal
from mtt.cli.render.progress import duration

if TYPE_CHECKING:
    from rich.progress import Progress

    from mtt.interface import Listener


@contextmanager
def training_display(*, tables: bool = True) -> Iterator[Listener]:
    """A listener that draws the progress of a training and its tables while the block runs.

    :param tables: show those of statistics and errors.
    """
    display = _Display(tables)
    try:
        yield display
    finally:
        display.stop()


class _Display:
    """Progress of the epochs on a terminal; tables of statistics and errors anywhere."""

    def __init__(self, tables: bool) -> None:
        self._tables = tables
        self._progress: Progress | None = None

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "statistics":
            if self._tables and not terminal.is_quiet():
                terminal.statistics(values["dataset"], values["statistics"])
        elif category == "step_0":
            if values["report"].rows and not terminal.is_quiet():
                name = f"{values['dataset']}, before the first step"
                terminal.errors(name, values["report"])
        elif category == "evaluation":
            if not self._tables:
                return
            terminal.errors(values["dataset"], values["report"])
        elif category == "run_start":
            self._start(values, epoch)
        elif category == "progress" and self._progress is not None:
            self._update(epoch, values["batch"], values["n_batches"])
        elif category == "end":
            self.stop()

    def stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _start(self, values: Mapping[str, Any], epoch: int) -> None:
        console = terminal.rich_console()
        if not console.is_terminal or terminal.is_quiet():
            return
        from rich.progress import BarColumn, Progress, TextColumn

        self._epochs = values["num_epochs"]
        self._began, self._first = time.monotonic(), epoch  # done before a restart
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=min(30, int(console.width) // 4)),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("training", total=None, left="")
        self._progress.start()

    def _update(self, epoch: int, batch: int, n_batches: int) -> None:
        assert self._progress is not None
        done = epoch - 1 + batch / n_batches  # epochs
        elapsed, here = time.monotonic() - self._began, done - self._first
        left = ""
        if here > 0 and elapsed > 1.0:
            left = f"{duration(elapsed * (self._epochs - done) / here)} left"
        name = f"epoch {epoch} of {self._epochs}"
        self._progress.update(
            self._task, description=name, completed=done, total=self._epochs, left=left
        )

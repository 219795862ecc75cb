"""The progress of a training that a script or a notebook started: one display that is updated."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from mtt.interface import Listener

if TYPE_CHECKING:
    from rich.progress import Progress

INTERVAL = 0.25
"""Seconds between two updates: a notebook keeps every one that it gets."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = sys.modules.get("IPython")
    found = shell.get_ipython() if shell is not None else None
    return found is not None and hasattr(found, "kernel")


def showing(progress: bool | None) -> AbstractContextManager[Sequence[Listener]]:
    """The listener that shows the progress while the block runs; empty where nothing is shown.

    :param progress: None: in notebooks only. A pipe or a file never gets any.
    """
    if progress is False or (progress is None and not in_notebook()):
        return nullcontext(())
    return _notebook() if in_notebook() else _terminal()


@contextmanager
def _notebook() -> Iterator[Sequence[Listener]]:
    # needs no widgets: every frontend replaces a display by its id
    from IPython.display import HTML, display

    handle = display(HTML(""), display_id=True)
    shown = Bar(lambda state: handle.update(HTML(as_html(state))))
    try:
        yield (shown,)
    finally:
        shown.stop()


@contextmanager
def _terminal() -> Iterator[Sequence[Listener]]:
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield ()
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("training", total=None)
        shown = Bar(lambda state: _update(bars, task, state))
        try:
            yield (shown,)
        finally:
            shown.stop()


def _update(bars: Progress, task: Any, state: Mapping[str, Any]) -> None:
    bars.update(
        task, description=state["text"], completed=state["done"], total=state["total"] or None
    )


class Bar:
    """A listener that reports the state of a training at most every :data:`INTERVAL` seconds.

    :param show: called with ``done`` and ``total`` batches, ``seconds`` since the start, and
        ``text``: the epoch and its losses.
    """

    def __init__(self, show: Callable[[Mapping[str, Any]], None]) -> None:
        self._show = show
        self._due = 0.0
        self._start = time.monotonic()
        self._state: dict[str, Any] = {
            "done": 0,
            "total": 0,
            "seconds": 0.0,
            "text": "training",
        }
        self._epochs = 0

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "run_start":
            self._epochs = values["num_epochs"]
            self._start = time.monotonic()
        elif category == "progress":
            per_epoch = values["n_batches"]
            done = (epoch - 1) * per_epoch + values["batch"]
            self._state |= {"done": done, "total": self._epochs * per_epoch}
        elif category == "epoch":
            self._state["text"] = _epoch(values, epoch, self._epochs)
        elif category == "end":
            best = values["best_epoch"]
            self._state["text"] += f", best epoch {best}" if best is not None else ""
            self._due = 0.0
        else:
            return
        self._state["seconds"] = time.monotonic() - self._start
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + INTERVAL
            self._show(self._state)

    def stop(self) -> None:
        """Show the last state."""
        self._show(self._state)


def _epoch(values: Mapping[str, Any], epoch: int, total: int) -> str:
    metrics = values["metrics"]
    losses = [f"{part} loss {metrics[f'{part} loss']:.4g}" for part in ("training", "validation")
              if f"{part} loss" in metrics]  # fmt: skip
    return ", ".join([f"epoch {epoch}/{total}", *losses])


def as_html(state: Mapping[str, Any]) -> str:
    """A bar and its text, for a notebook."""
    total = state["total"]
    size = f' value="{state["done"]}" max="{total}"' if total else ""
    text = html.escape(f"{state['text']}, {state['seconds']:.0f} s")
    return f'<progress{size} style="width: 20em"></progress> <code>{text}</code>'

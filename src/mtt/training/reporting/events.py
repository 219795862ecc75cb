"""Notify listeners of what happens in a run.

===============  ===============================================================  =============
category         values                                                           epoch
===============  ===============================================================  =============
``statistics``   of the workflow: ``dataset`` (its name), ``statistics``          0
``step_0``       of the workflow, before a fine-tuning: ``dataset`` (how many     0
                 structures of what), ``report`` (errors of the first
                 predictions against the labels)
``run_start``    ``num_epochs``, ``n_batches``, ``log_interval``, ``history``     completed
                 (rows of the epochs before a restart), ``units``
``progress``     ``batch`` (done), ``n_batches``                                  running
``train``        ``metrics`` of the training (name to number), ``units`` (name    just done
                 to unit)
``validation``   ``metrics`` and ``units`` of the validation                      just done
``system``       ``metrics`` and ``units``: seconds, structures and atoms per     just done
                 second, memory
``checkpoint``   ``path`` of a file that is whole, and replaced but never         completed
                 written into
``best``         ``metric``, ``value``                                            just done
``epoch``        ``metrics`` and ``units`` of the whole row, ``is_best``,         just done
                 ``metric`` (what is best has the lowest value of it)
``end``          ``best_epoch``, ``best_metric`` (its value), ``metric`` (its     completed
                 name), ``refit`` (what the fit of the baselines after the last
                 epoch did; None without one)
``evaluation``   of the workflow, for each part of the data: ``part``             of the model
                 (``"test"``), ``dataset`` (its name), ``report``
``test``         of the workflow: ``metrics`` and ``units`` on the test set       of the model
===============  ===============================================================  =============

Epochs count from 1: epoch 3 is the third one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mtt.interface import Listener

logger = logging.getLogger(__name__)

PARTS = {"train": "training ", "validation": "validation "}
"""Category to the beginning of its columns in the row of an epoch."""


class Events:
    """Calls every listener; one that raises is reported and switched off."""

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self._all: tuple[Listener, ...] = tuple(listeners)
        self._listeners: list[Listener] = list(self._all)

    def __call__(self, category: str, epoch: int, **values: Any) -> None:
        self.notify(category, values, epoch)

    def notify(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        """Pass an event on; a listener itself, so that these can listen to those."""
        shared = MappingProxyType(dict(values))
        for listener in tuple(self._listeners):
            self._call(listener, f"event {category!r} of epoch {epoch}", category, shared, epoch)

    def keep_file(self, path: Path) -> None:
        """Hand a finished file of the run (the exported model, a report) to the listeners.

        Those with a method ``keep_file(path)`` get it, in their order.
        """
        for listener in tuple(self._listeners):
            keep = getattr(listener, "keep_file", None)
            if keep is not None:
                self._call(listener, f"the file {path}", path, function=keep)

    @property
    def show_figures(self) -> bool:
        """Whether a listener takes pictures of the report."""
        return any(hasattr(listener, "keep_figure") for listener in self._listeners)

    def keep_figure(self, path: Path) -> None:
        """Hand a picture of the report (PNG) to those with a method ``keep_figure(path)``."""
        for listener in tuple(self._listeners):
            keep = getattr(listener, "keep_figure", None)
            if keep is not None:
                self._call(listener, f"the figure {path}", path, function=keep)

    def _call(
        self,
        listener: Listener,
        at: str,
        *arguments: Any,
        function: Callable[..., Any] | None = None,
    ) -> None:
        try:
            (listener if function is None else function)(*arguments)
        except Exception as error:
            # a failing plot must not cost a week of training
            self._listeners = [kept for kept in self._listeners if kept is not listener]
            logger.error(
                "the listener %s failed at %s (%s: %s); it is switched off, the training continues",
                _name(listener),
                at,
                type(error).__name__,
                error,
                exc_info=error,
            )

    def measured(
        self,
        epoch: int,
        row: Mapping[str, float],
        units: Mapping[str, str],
        system: Mapping[str, float],
        system_units: Mapping[str, str],
    ) -> None:
        """Send the row of an epoch as ``train``, ``validation`` and ``system`` events."""
        for category, prefix in PARTS.items():
            names = [name for name in row if name.startswith(prefix)]
            metrics = {name.removeprefix(prefix): row[name] for name in names}
            shown = {name.removeprefix(prefix): units[name] for name in names}
            self(category, epoch, metrics=metrics, units=shown)
        self("system", epoch, metrics=dict(system), units=dict(system_units))

    def close(self) -> None:
        """Close the listeners that have a ``close``, in their order, also those switched off."""
        for listener in self._all:
            close = getattr(listener, "close", None)
            if close is None:
                continue
            try:
                close()
            except Exception as error:
                logger.error(
                    "the listener %s could not be closed (%s: %s)",
                    _name(listener),
                    type(error).__name__,
                    error,
                    exc_info=error,
                )


def _name(listener: Listener) -> str:
    return str(getattr(listener, "__qualname__", type(listener).__qualname__))

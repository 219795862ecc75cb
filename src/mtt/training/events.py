"""Telling listeners what happens in a run.

==============  ================================================================  =============
category        values                                                            epoch
==============  ================================================================  =============
``run_start``   ``num_epochs``, ``n_batches``, ``log_interval``, ``history``      completed
                (rows of the epochs before a restart), ``units``
``progress``    ``batch`` (done), ``n_batches``                                   running
``epoch``       ``metrics`` (name to number), ``units`` (name to unit),           just done
                ``is_best``
``best``        ``metric``, ``value``                                             just done
``checkpoint``  ``path``                                                          completed
``evaluation``  of the workflow: ``dataset``, ``metrics`` (rows with units)       of the model
``end``         ``best_epoch``, ``best_metric`` (its value), ``metric`` (its      completed
                name)
==============  ================================================================  =============

Epochs count from 1: epoch 3 is the third one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

from mtt.interface import Listener

logger = logging.getLogger(__name__)


class Events:
    """Calls every listener; one that raises is reported and switched off."""

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self._listeners: list[Listener] = list(listeners)

    def __call__(self, category: str, epoch: int, **values: Any) -> None:
        shared = MappingProxyType(values)
        for listener in tuple(self._listeners):
            try:
                listener(category, shared, epoch)
            except Exception as error:
                # somebody's plotting callback must not cost a week of training
                self._listeners = [kept for kept in self._listeners if kept is not listener]
                logger.error(
                    "the listener %s failed at event %r of epoch %d (%s: %s); "
                    "it is switched off, the training goes on",
                    getattr(listener, "__qualname__", type(listener).__qualname__),
                    category,
                    epoch,
                    type(error).__name__,
                    error,
                    exc_info=error,
                )

"""The checkpoints of a run: ``best.ckpt``, ``last.ckpt``, and one per interval."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtt.checkpoint import write, write_last
from mtt.errors import CheckpointError
from mtt.training.reporting.events import Events

logger = logging.getLogger(__name__)

BEST, LAST = "best.ckpt", "last.ckpt"
_EPOCH = re.compile(r"epoch_(\d+)\.ckpt").fullmatch


class Checkpoints:
    """Writes checkpoints into ``folder``.

    :param contents: the checkpoint as of now.
    :param keep: how many ``epoch_N.ckpt`` are kept, the newest ones; None: all.
    """

    def __init__(
        self,
        folder: Path,
        contents: Callable[[], dict[str, Any]],
        events: Events,
        keep: int | None = None,
    ) -> None:
        self._folder = folder
        self._contents = contents
        self._events = events
        self._keep = keep

    def save_best(self, epoch: int) -> None:
        """Write ``best.ckpt``, the moment it is best."""
        self._attempt(self._write_best, epoch)

    def save_epoch(self, epoch: int) -> None:
        """Write ``last.ckpt``, and keep it as ``epoch_N.ckpt``."""
        if self._attempt(self._write_last, epoch) and self._keep != 0:
            self._attempt(lambda: self._keep_epoch(epoch), epoch)
            self._prune()

    def save_within(self, epoch: int) -> None:
        """Write ``last.ckpt`` within an epoch; another will follow."""
        self._attempt(self._write_last, epoch)

    def save_last(self, epoch: int) -> None:
        """Write ``last.ckpt``; there is no later attempt.

        :raises CheckpointError: it cannot be written.
        """
        path = self._write_last()
        self._events("checkpoint", epoch, path=str(path))

    def _attempt(self, save: Callable[[], Path], epoch: int) -> bool:
        try:
            path = save()
        except (CheckpointError, OSError) as error:
            # the training is worth more than this file; the next save tries again
            logger.error("checkpoint not saved, the training continues: %s", error)
            return False
        self._events("checkpoint", epoch, path=str(path))
        return True

    def _write_best(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        write(self._folder / BEST, self._contents())
        return self._folder / BEST

    def _write_last(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return write_last(self._folder, self._contents())

    def _keep_epoch(self, epoch: int) -> Path:
        """Keep ``last.ckpt`` under the name of its epoch."""
        kept = self._folder / f"epoch_{epoch}.ckpt"
        try:
            # last.ckpt is replaced, never written into: a second name costs nothing
            kept.unlink(missing_ok=True)
            os.link(self._folder / LAST, kept)
        except OSError:  # a file system without hard links
            write(kept, self._contents())
        return kept

    def _prune(self) -> None:
        """Delete the oldest epochs where more than ``keep`` are there."""
        if self._keep is None:
            return
        found = {int(m[1]): path for path in self._folder.iterdir() if (m := _EPOCH(path.name))}
        for epoch in sorted(found)[: -self._keep]:
            found[epoch].unlink(missing_ok=True)

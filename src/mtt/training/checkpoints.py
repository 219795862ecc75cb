"""The checkpoints of a run: ``best.ckpt``, ``last.ckpt``, and one per interval."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtt.checkpoint import peek, read, write, write_last
from mtt.errors import CheckpointError
from mtt.ranks import Ranks
from mtt.training.reporting.events import Events

logger = logging.getLogger(__name__)

BEST, LAST = "best.ckpt", "last.ckpt"
_SAME = ("best_epoch", "model_ckpt_version", "trainer_ckpt_version")
_EPOCH = re.compile(r"epoch_(\d+)\.ckpt").fullmatch


class Checkpoints:
    """Writes checkpoints into ``folder``.

    All ranks save together: each gives what it has to the contents, the first one writes them,
    and all learn whether it could.

    :param contents: the checkpoint as of now; called on all ranks.
    :param keep: how many ``epoch_N.ckpt`` are kept, the newest ones; None: all.
    """

    def __init__(
        self,
        folder: Path,
        contents: Callable[[], dict[str, Any]],
        events: Events,
        keep: int | None = None,
        *,
        ranks: Ranks,
    ) -> None:
        self._folder = folder
        self._contents = contents
        self._events = events
        self._keep = keep
        self._ranks = ranks

    def save_best(self, epoch: int) -> None:
        """Write ``best.ckpt``, the moment it is best."""
        self._attempt(self._write_best, epoch)

    def renew_best(self, epoch: int, value: float, refitted: bool) -> None:
        """Give ``best.ckpt`` the best weights as they are now; all else of it stays.

        :param value: of the best metric.
        :param refitted: their baselines were fitted after the last epoch.
        """
        if self._ranks.on_first(lambda: self._shows_another_best(value, refitted)):
            self._attempt(lambda: self._write(self._renew_best), epoch)

    def save_epoch(self, epoch: int) -> None:
        """Write ``last.ckpt``, and keep it as ``epoch_N.ckpt``."""
        if self._attempt(self._write_last, epoch) and self._keep != 0:
            self._attempt(lambda: self._ranks.on_first(lambda: self._keep_epoch(epoch)), epoch)
            self._ranks.on_first(self._prune)

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
        return self._write(self._place_best)

    def _write_last(self) -> Path:
        return self._write(lambda contents: write_last(self._folder, contents))

    def _write(self, place: Callable[[dict[str, Any]], Path]) -> Path:
        contents = self._contents()

        def on_first() -> Path:
            self._folder.mkdir(parents=True, exist_ok=True)
            return place(contents)

        return self._ranks.on_first(on_first)

    def _place_best(self, contents: dict[str, Any]) -> Path:
        write(self._folder / BEST, contents)
        return self._folder / BEST

    def _shows_another_best(self, value: float, refitted: bool) -> bool:
        path = self._folder / BEST
        try:
            stored = peek(path) if path.is_file() else {}
        except (OSError, CheckpointError) as error:
            logger.error("the baselines in %s stay what they are: %s", BEST, error)
            return False
        before = stored.get("trainer_state", {}).get("before_refit")
        return bool(stored) and (bool(before) != refitted or stored["best_metric"] != value)

    def _renew_best(self, contents: dict[str, Any]) -> Path:
        """Replace in ``best.ckpt`` what the fit after the last epoch changes."""
        stored = read(self._folder / BEST)
        # of another epoch, or of an earlier version, whose weights have other names
        if all(stored.get(key) == contents[key] for key in _SAME):
            state = {**stored["trainer_state"]}
            state |= {key: contents["trainer_state"][key] for key in ("version", "before_refit")}
            origin = {key: one for key, one in stored["provenance"].items() if key != "refit"}
            origin |= {k: one for k, one in contents["provenance"].items() if k == "refit"}
            best = {key: contents[key] for key in ("best_metric", "best_model_state_dict")}
            self._place_best({**stored, **best, "provenance": origin, "trainer_state": state})
        return self._folder / BEST

    def _keep_epoch(self, epoch: int) -> Path:
        """Keep ``last.ckpt`` under the name of its epoch."""
        kept = self._folder / f"epoch_{epoch}.ckpt"
        try:
            # last.ckpt is replaced, never written into: a second name costs nothing
            kept.unlink(missing_ok=True)
            os.link(self._folder / LAST, kept)
        except OSError:  # a file system without hard links
            write(kept, read(self._folder / LAST))
        return kept

    def _prune(self) -> None:
        """Delete the oldest epochs where more than ``keep`` are there."""
        if self._keep is None:
            return
        found = {int(m[1]): path for path in self._folder.iterdir() if (m := _EPOCH(path.name))}
        for epoch in sorted(found)[: -self._keep]:
            found[epoch].unlink(missing_ok=True)

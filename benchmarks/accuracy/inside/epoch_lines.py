"""A callback of Lightning that says when an epoch, with its validation, is over."""

from __future__ import annotations

import lightning


class EpochLines(lightning.Callback):
    """Prints a line at the end of every epoch."""

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: object) -> None:
        print(f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}", flush=True)

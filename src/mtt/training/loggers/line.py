"""One plain line per epoch, through Python's logging."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

logger = logging.getLogger(__name__)

TRAINING, VALIDATION = "training ", "validation "


class LineLogger:
    """Logs every ``log_interval``-th epoch, the first of the run and the last one."""

    def __init__(self) -> None:
        self._num_epochs = 0
        self._interval = 1
        self._first: int | None = None

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "run_start":
            self._num_epochs, self._interval = (
                values["num_epochs"],
                values["log_interval"],
            )
            self._first = epoch + 1
            logger.info(
                "epochs %d to %d of %d batches each; training | validation, errors are RMSE",
                epoch + 1,
                self._num_epochs,
                values["n_batches"],
            )
        elif category == "epoch" and self._is_shown(epoch):
            logger.info("%s", self._line(values, epoch))
        elif category == "end":
            logger.info(
                "best epoch: %s (%s %.4g on the validation set)",
                values["best_epoch"],
                values["metric"],
                values["best_metric"],
            )

    def _is_shown(self, epoch: int) -> bool:
        return epoch % self._interval == 0 or epoch in (self._first, self._num_epochs)

    def _line(self, values: Mapping[str, Any], epoch: int) -> str:
        metrics, units = values["metrics"], values["units"]
        width = len(str(self._num_epochs))
        parts = [f"epoch {epoch:{width}d}/{self._num_epochs}"]
        for name, value in metrics.items():
            other = metrics.get(VALIDATION + name.removeprefix(TRAINING))
            if name.startswith(TRAINING) and other is not None:
                pair = f"{value:.4g} | {other:.4g}"
                short = name.removeprefix(TRAINING).removesuffix(" RMSE")
                parts.append(f"{short} {pair} {units[name]}".rstrip())
        parts.append(f"lr {metrics['learning rate']:.2g}")
        parts.append(f"{metrics['seconds']:.1f} s")
        return "  ".join(parts) + ("  best" if values["is_best"] else "")

"""one line per epoch, on the terminal and in `train.log`."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from mtt.evaluation.quantities import is_extended
from mtt.training.reporting.console.fitted import Field, FieldLine
from mtt.training.reporting.console.shown import Shown, best, number
from mtt.training.reporting.events import PARTS
from mtt.training.reporting.logger_kind import LoggerKind

logger = logging.getLogger(__name__)

TRAINING = PARTS["train"]


class LineLogger:
    """Logs every ``log_interval``-th epoch, the first of the run and the last one.

    Extended metrics are left out: a line has no room for them. A terminal that is narrower than
    a line shows it in several, without the mean absolute errors.
    """

    def __init__(self) -> None:
        self._shown = Shown()

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "run_start":
            self._shown.start(values, epoch)
        elif category == "epoch" and self._shown(epoch):
            logger.info("%s", self._line(values, epoch))
        elif category == "end":
            self._shown.end(values)

    def _line(self, values: Mapping[str, Any], epoch: int) -> FieldLine:
        metrics, units = values["metrics"], values["units"]
        num_epochs = self._shown.num_epochs
        fields = [Field(f"epoch {epoch:{len(str(num_epochs))}d}/{num_epochs}")]
        for name in metrics:
            quantity = name.removeprefix(TRAINING)
            if quantity == name or is_extended(quantity):
                continue
            values_of_parts = [metrics[part + quantity] for part in self._shown.parts]
            if all(map(math.isnan, values_of_parts)):  # no label in any of them
                continue
            numbers = " | ".join(map(number, values_of_parts))
            text = f"{quantity.removesuffix(' RMSE')} {numbers} {units[name]}".rstrip()
            fields.append(Field(text, is_extra=quantity.endswith(" MAE")))
        if not math.isnan(metrics["learning rate"]):  # what is solved at once has none
            fields.append(Field(f"lr {metrics['learning rate']:.2g}"))
        fields.append(Field(f"{metrics['seconds']:.1f} s"))
        return FieldLine([*fields, *([Field(best(values))] if values["is_best"] else [])])


LOGGER = LoggerKind(lambda folder, options: LineLogger())

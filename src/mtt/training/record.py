"""What is written down of an epoch: names, numbers and units."""

from __future__ import annotations

from collections.abc import Mapping

from mtt.data.info import DatasetInfo
from mtt.evaluation.metrics import display, names, units


class Record:
    """Makes the row of an epoch: errors in the units that they are shown in.

    :param log_mae: mean absolute errors too, not only the root mean squared ones.
    """

    def __init__(self, info: DatasetInfo, log_mae: bool) -> None:
        self._info = info
        self._errors = [name for name in names(info) if log_mae or not name.endswith(" MAE")]

    @property
    def units(self) -> dict[str, str]:
        """Name to unit of every column, in order."""
        shown = units(self._info)
        errors = {"loss": ""} | {name: shown[name] for name in self._errors}
        return (
            {"epoch": "", "learning rate": "", "gradient norm": ""}
            | {f"training {name}": unit for name, unit in errors.items()}
            | {f"validation {name}": unit for name, unit in errors.items()}
            | {"seconds": "s"}
        )

    def row(
        self,
        epoch: int,
        learning_rate: float,
        training: Mapping[str, float],
        validation: Mapping[str, float],
        seconds: float,
    ) -> dict[str, float]:
        """The numbers of one epoch, by the names of :attr:`units`."""
        row: dict[str, float] = {
            "epoch": epoch,
            "learning rate": learning_rate,
            "gradient norm": training["gradient norm"],
        }
        for prefix, metrics in (("training", training), ("validation", validation)):
            row[f"{prefix} loss"] = metrics["loss"]
            errors = {name: metrics[name] for name in self._errors}
            row.update(
                {f"{prefix} {metric.name}": metric.value for metric in display(self._info, errors)}
            )
        row["seconds"] = seconds
        return row

"""What is written down of an epoch: names, numbers and units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mtt.data.info import DatasetInfo
from mtt.evaluation.metrics import display, names, units


class Record:
    """Makes the row of an epoch: errors in the units that they are shown in.

    :param log_mae: mean absolute errors too, not only the root mean squared ones.
    :param extended: the extended errors too.
    :param validation_names: sets that have separate columns, ``validation bulk loss``,
        after those of all validation structures.
    :param progress: further columns, for what the plan of the training says of an epoch:
        its stage, the weights of the loss.
    """

    def __init__(
        self,
        info: DatasetInfo,
        log_mae: bool,
        extended: bool = False,
        validation_names: Sequence[str] = (),
        progress: Sequence[str] = (),
    ) -> None:
        self._info = info
        self._progress = tuple(progress)
        self._validation_names = tuple(validation_names)
        shown = units(info, extended=extended)
        self._errors = {
            name: shown[name]
            for name in names(info, extended=extended)
            if log_mae or not name.endswith(" MAE")
        }

    @property
    def units(self) -> dict[str, str]:
        """Name to unit of every column, in order."""
        metrics = {"loss": ""} | self._errors
        columns = {"epoch": "", "learning rate": "", "gradient norm": ""}
        columns |= dict.fromkeys(self._progress, "")
        for part in ("training", *self._validation_parts()):
            columns |= {f"{part} {name}": unit for name, unit in metrics.items()}
        return columns | {"seconds": "s"}

    def row(
        self,
        epoch: int,
        learning_rate: float,
        training: Mapping[str, float],
        validation: Mapping[str, float],
        seconds: float,
        progress: Mapping[str, float] | None = None,
    ) -> dict[str, float]:
        """The numbers of one epoch, by the names of :attr:`units`.

        :param training: metrics of :meth:`mtt.training.reporting.meter.Meter.compute`.
        :param validation: metrics of :meth:`mtt.training.scoring.validation.Validation.run`.
        :param progress: values of the columns of that name.
        """
        row: dict[str, float] = {
            "epoch": epoch,
            "learning rate": learning_rate,
            "gradient norm": training["gradient norm"],
        }
        row |= {name: (progress or {})[name] for name in self._progress}
        row |= self._columns("training", training)
        row |= self.validated(validation)
        row["seconds"] = seconds
        return row

    def validated(self, validation: Mapping[str, float]) -> dict[str, float]:
        """The part of a row that is of the validation.

        :param validation: metrics of :meth:`mtt.training.scoring.validation.Validation.run`.
        """
        row: dict[str, float] = {}
        for part in self._validation_parts():
            prefix = part.removeprefix("validation").lstrip()
            row |= self._columns(part, validation, f"{prefix} " if prefix else "")
        return row

    def _validation_parts(self) -> Iterable[str]:
        return ("validation", *(f"validation {name}" for name in self._validation_names))

    def _columns(
        self, part: str, metrics: Mapping[str, float], prefix: str = ""
    ) -> dict[str, float]:
        """Loss and errors of one part of the data, under its name."""
        errors = {name: metrics[f"{prefix}{name}"] for name in self._errors}
        shown = {f"{part} {each.name}": each.value for each in display(self._info, errors)}
        return {f"{part} loss": metrics[f"{prefix}loss"]} | shown

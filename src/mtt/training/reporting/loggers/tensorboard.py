"""event files of TensorBoard: a curve per metric, over epochs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtt.errors import Problem
from mtt.evaluation import Report
from mtt.options.yaml.interpolate import escape
from mtt.options.yaml.to_yaml import to_yaml
from mtt.training.reporting.logger_kind import LoggerKind, missing_extra, run_name
from mtt.training.reporting.tags import tags

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoardLogger:
    """Writes to ``folder``; a restarted run continues its curves.

    A folder without event files gets the epochs before the restart first. In one that has
    some, TensorBoard drops what a killed run wrote after its last checkpoint.

    :param options: the options of the run, as text; shown on the page "Text".
    """

    def __init__(self, folder: Path, options: str) -> None:
        self._folder = folder
        self._options = options
        self._writer: SummaryWriter | None = None
        self._epoch = 0

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "run_start":
            self._start(values, epoch)
        elif category == "epoch":
            self._epoch = epoch
            self._add(tags(values["metrics"], values["units"]), epoch)
        elif category == "system":
            rates = {name: v for name, v in values["metrics"].items() if name != "seconds"}
            self._add(tags(rates, values["units"], "system"), epoch)
        elif category == "test":
            self._add(tags(values["metrics"], values["units"], "test"), epoch)
        elif category == "evaluation" and self._writer is not None:
            self._writer.add_text(f"errors/{values['part']}", _table(values["report"]), epoch)
        if category in ("epoch", "end", "test") and self._writer is not None:
            self._writer.flush()

    def keep_figure(self, path: Path) -> None:
        """Show a picture of the report on the page "Images", at the last epoch."""
        if self._writer is not None:
            import numpy as np
            from PIL import Image

            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("RGB"))  # [height, width, 3]
            self._writer.add_image(f"report/{path.stem}", pixels, self._epoch, dataformats="HWC")

    def close(self) -> None:
        """Complete the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _start(self, values: Mapping[str, Any], epoch: int) -> None:
        # takes seconds to import
        from torch.utils.tensorboard import SummaryWriter

        self._epoch = epoch
        known = any(self._folder.glob("events.out.tfevents.*"))
        self._writer = SummaryWriter(str(self._folder), purge_step=epoch + 1 if known else None)
        if known:
            return
        # indented: text is Markdown, and this is YAML
        text = "".join(f"    {line}\n" for line in self._options.splitlines())
        self._writer.add_text("options", text)
        for row in values["history"]:
            self._add(tags(row, values["units"]), int(row["epoch"]))

    def _add(self, numbers: Mapping[str, float], epoch: int) -> None:
        if self._writer is not None:
            for tag, value in numbers.items():
                self._writer.add_scalar(tag, value, epoch)


def _table(report: Report) -> str:
    """The errors of the best weights, in Markdown."""
    lines = ["| | RMSE | MAE | unit | components |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.quantity} | {row.rmse:.4g} | {row.mae:.4g} | {row.unit} | {row.count:,} |"
        for row in report.rows
    ]
    return "\n".join(lines)


def make(folder: Path, options: Mapping[str, Any]) -> TensorBoardLogger:
    """Into the run folder, or a folder of the run's name below ``log_dir``."""
    settings = options["tensorboard"]
    log_dir = settings.get("log_dir") if isinstance(settings, Mapping) else None
    place = Path(log_dir, run_name(folder)) if log_dir else folder / "tensorboard"
    return TensorBoardLogger(place, to_yaml(escape(options)))


def problems(settings: Any) -> list[Problem]:
    """Whether TensorBoard is installed."""
    return missing_extra("tensorboard", "tensorboard", "tensorboard")


LOGGER = LoggerKind(make, has_option=True, problems=problems)

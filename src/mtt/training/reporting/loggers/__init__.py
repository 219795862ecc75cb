"""Listeners that write down how a training goes."""

from __future__ import annotations

from pathlib import Path

from mtt.interface import Listener
from mtt.training.reporting.loggers.csv import CsvLogger
from mtt.training.reporting.loggers.history import HistoryLogger
from mtt.training.reporting.loggers.line import LineLogger
from mtt.training.reporting.loggers.table import TableLogger
from mtt.training.reporting.loggers.tensorboard import TensorBoardLogger
from mtt.training.reporting.loggers.wandb import WandbLogger

__all__ = [
    "CsvLogger",
    "HistoryLogger",
    "LineLogger",
    "TableLogger",
    "TensorBoardLogger",
    "WandbLogger",
    "default_loggers",
]


def default_loggers(folder: Path | None) -> list[Listener]:
    """A line per epoch; ``train.csv`` and ``history.jsonl`` where there is a run folder."""
    if folder is None:
        return [LineLogger()]
    return [LineLogger(), CsvLogger(folder / "train.csv"), HistoryLogger(folder / "history.jsonl")]

"""Listeners that write down how a training goes."""

from mtt.training.loggers.console import ConsoleLogger
from mtt.training.loggers.csv import CsvLogger
from mtt.training.loggers.history import HistoryLogger

__all__ = ["ConsoleLogger", "CsvLogger", "HistoryLogger"]

"""What a logger is made from: those that options choose by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mtt.discovery import LOGGERS
from mtt.errors import ConfigError, Problem
from mtt.interface import Listener

Make = Callable[[Path, Mapping[str, Any]], Listener]
"""Called with the run folder and the resolved options; returns the logger."""


@dataclass(frozen=True)
class LoggerKind:
    """One logger by name.

    :param make: makes it.
    :param has_option: whether it is chosen by an option of its name, with settings, and not in
        the list ``loggers``.
    :param problems: what is wrong with the settings (``true``, or a mapping) of that option.
    """

    make: Make
    has_option: bool = False
    problems: Callable[[Any], list[Problem]] = lambda settings: []

    def __call__(self, folder: Path, options: Mapping[str, Any]) -> Listener:
        """The logger of a run."""
        return self.make(folder, options)


def load_logger(name: str, where: str) -> Make:
    """Load the maker of the logger ``name``: a :class:`LoggerKind`, or a function of a package.

    :param where: the option that names it.
    :raises ConfigError: there is none, or it cannot be loaded.
    """
    found = LOGGERS.load(name, object, where)
    if not callable(found):
        raise ConfigError(f"the logger {name!r} is not a function", where=where)
    make: Make = found
    return make


def default_loggers(folder: Path | None) -> list[Listener]:
    """A line per epoch; ``train.csv`` and ``history.jsonl`` where there is a run folder."""
    if folder is None:
        return [load_logger("line", "loggers")(Path(), {})]
    return [load_logger(name, "loggers")(folder, {}) for name in ("line", "csv", "history")]


def missing_extra(option: str, package: str, extra: str) -> list[Problem]:
    """A problem where the package of an extra is not installed."""
    if find_spec(package) is not None:
        return []
    what = f"this needs the package {package}, which is not installed"
    return [Problem(what, option, f"pip install 'mtt[{extra}]'")]


def run_name(folder: Path) -> str:
    """``2026-01-31_12-00-00``, of the last two folders."""
    return "_".join(folder.resolve().parts[-2:])

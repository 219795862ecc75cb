"""What writes a run down: from the options to listeners."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mtt.errors import ConfigError, Problem, did_you_mean
from mtt.interface import Listener
from mtt.options import Options
from mtt.training.reporting.events import Events
from mtt.training.reporting.loggers import (
    CsvLogger,
    HistoryLogger,
    LineLogger,
    TableLogger,
    TensorBoardLogger,
    WandbLogger,
)
from mtt.workflows.run.remote import RemoteCopy

GROUP = "mtt.loggers"
"""Entry points of this group are loggers: called as ``make(folder, options)``, they return one."""

_OWN: dict[str, Callable[[Path], Listener]] = {
    "line": lambda folder: LineLogger(),
    "table": lambda folder: TableLogger(),
    "csv": lambda folder: CsvLogger(folder / "train.csv"),
    "history": lambda folder: HistoryLogger(folder / "history.jsonl"),
}
_FILLED = ("config", "dir")  # arguments of wandb.init that are ours


def check_listeners(options: Options) -> None:
    """Whether all that the options ask for is there; starts nothing.

    :raises ConfigError: unknown loggers, packages that are not installed, a URL that none of
        fsspec's file systems takes.
    """
    problems = [
        *_logger_problems(options.loggers),
        *(_tensorboard_problems() if options.tensorboard is not None else []),
        *(_wandb_problems(options.wandb) if options.wandb is not None else []),
        *(_remote_problems(options.remote) if options.remote is not None else []),
    ]
    if problems:
        raise ConfigError.collect(problems)


def make_events(options: Options, folder: Path, listeners: Sequence[Listener] = ()) -> Events:
    """The listeners of a run in ``folder``: those of the options, then ``listeners``.

    :raises TrainingError: Weights & Biases cannot start.
    """
    named = {point.name: point for point in entry_points(group=GROUP)}
    values = options.to_dict()
    made: list[Listener] = [
        _OWN[name](folder) if name in _OWN else named[name].load()(folder, values)
        for name in options.loggers
    ]
    run_name = "_".join(folder.resolve().parts[-2:])
    if options.tensorboard is not None:
        log_dir = options.tensorboard.get("log_dir")
        place = Path(log_dir, run_name) if log_dir else folder / "tensorboard"
        made.append(TensorBoardLogger(place, options.to_yaml()))
    if options.wandb is not None:
        made.append(WandbLogger(folder, {"name": run_name, **options.wandb}, values))
    made += listeners
    if options.remote is not None:
        # the last: what the others write is copied, their close comes first
        above = options.remote if options.remote.endswith("/") else f"{options.remote}/"
        made.append(RemoteCopy(above + "/".join(folder.resolve().parts[-2:]), folder))
    return Events(made)


def _logger_problems(names: Sequence[str]) -> list[Problem]:
    known = {point.name: point for point in entry_points(group=GROUP)}
    problems = []
    for name in names:
        if name in _OWN:
            continue
        if name not in known:
            all_names = [*_OWN, *sorted(known)]
            hint = did_you_mean(name, all_names) or f"there are {', '.join(all_names)}"
            if name in ("tensorboard", "wandb"):
                hint = f"write '{name}: true' as a separate option"
            problems.append(Problem(f"there is no logger {name!r}", "loggers", hint))
            continue
        try:
            known[name].load()
        except (ImportError, AttributeError) as error:
            what = f"the logger {name!r} cannot be loaded ({error})"
            problems.append(Problem(what, "loggers", "mend or leave out the package it is of"))
    return problems


def _tensorboard_problems() -> list[Problem]:
    return _missing("tensorboard", "tensorboard", "tensorboard")


def _wandb_problems(settings: dict[str, Any]) -> list[Problem]:
    missing = _missing("wandb", "wandb", "wandb")
    if missing:
        return missing
    import wandb

    known = [name for name in inspect.signature(wandb.init).parameters if name not in _FILLED]
    problems = []
    for name in settings:
        if name in _FILLED:
            what, hint = "this is filled by mtt", "leave it out"
        elif name not in known:
            what, hint = "wandb.init has no such argument", did_you_mean(name, known)
        else:
            continue
        problems.append(Problem(what, f"wandb.{name}", hint))
    return problems


def _remote_problems(url: str) -> list[Problem]:
    missing = _missing("remote", "fsspec", "remote")
    if missing:
        return missing
    import fsspec

    try:
        fsspec.core.url_to_fs(url)
    except ImportError as error:  # the package of this kind of storage
        return [Problem(str(error), "remote", "install the package that it names")]
    except OSError as error:
        return [Problem(f"cannot be reached ({error})", "remote", "check the URL and the line")]
    except ValueError as error:
        protocol = url.partition("://")[0]
        hint = did_you_mean(protocol, fsspec.available_protocols())
        return [Problem(str(error), "remote", hint)]
    return []


def _missing(option: str, package: str, extra: str) -> list[Problem]:
    """A problem where the package of an extra is not installed."""
    if find_spec(package) is not None:
        return []
    what = f"this needs the package {package}, which is not installed"
    return [Problem(what, option, f"pip install 'mtt[{extra}]'")]

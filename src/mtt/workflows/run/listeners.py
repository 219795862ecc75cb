"""What writes a run down: from the options to listeners."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtt.discovery import LOGGERS
from mtt.errors import ConfigError, Problem, did_you_mean
from mtt.interface import Listener
from mtt.options import Options
from mtt.ranks import Ranks
from mtt.training.reporting.events import Events
from mtt.training.reporting.logger_kind import LoggerKind, load_logger, missing_extra
from mtt.workflows.run.remote import RemoteCopy


def check_listeners(options: Options) -> None:
    """Whether all that the options ask for is there; starts nothing.

    :raises ConfigError: unknown loggers, packages that are not installed, a URL that none of
        fsspec's file systems takes.
    """
    problems = [
        *_logger_problems(options.loggers),
        *(one for kind, own in _switched_on(options.to_dict()) for one in kind.problems(own)),
        *(_remote_problems(options.remote) if options.remote is not None else []),
    ]
    if problems:
        raise ConfigError.collect(problems)


def make_events(
    options: Options, folder: Path, listeners: Sequence[Listener], ranks: Ranks
) -> Events:
    """The listeners of a run in ``folder``: those of the options, then ``listeners``.

    They listen to the first rank; on the others there are none.

    :raises TrainingError: Weights & Biases cannot start.
    """
    if not ranks.is_first:
        return Events()
    values = options.to_dict()
    made: list[Listener] = [
        load_logger(name, "loggers")(folder, values) for name in options.loggers
    ]
    made += [kind.make(folder, values) for kind, _ in _switched_on(values)]
    made += listeners
    if options.remote is not None:
        # the last: what the others write is copied, their close comes first
        above = options.remote if options.remote.endswith("/") else f"{options.remote}/"
        made.append(RemoteCopy(above + "/".join(folder.resolve().parts[-2:]), folder))
    return Events(made)


def _logger_problems(names: Sequence[str]) -> list[Problem]:
    problems = []
    for name in names:
        try:
            load_logger(name, "loggers")
            if LOGGERS.fact(name, "has_option", False):
                what, hint = f"{name!r} is not chosen here", f"write '{name}: true' beside loggers"
                problems.append(Problem(what, "loggers", hint))
        except ConfigError as error:
            problems += error.problems
    return problems


def _switched_on(values: Mapping[str, Any]) -> Iterator[tuple[LoggerKind, Any]]:
    """The loggers with an option that is on, and its settings: ``True``, or a mapping."""
    for name, has_option in LOGGERS.facts("has_option", False).items():
        if has_option and values.get(name):
            yield LOGGERS.load(name, LoggerKind), values[name]


def _remote_problems(url: str) -> list[Problem]:
    missing = missing_extra("remote", "fsspec", "remote")
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

"""Which run ``--restart auto`` resumes: the newest one of the same options file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mtt.checkpoint import Newest, newest_of_run, runs_in
from mtt.errors import CheckpointError, MttError, Problem
from mtt.registry import Architecture
from mtt.workflows.restart.stored_options import is_same_experiment, options_in
from mtt.workflows.run.folder import OPTIONS, OUTPUTS
from mtt.workflows.run.record import Command, recorded

log = logging.getLogger(__name__)

NAMED = 8
"""Runs that a message lists; there may be hundreds."""


class Wanted(NamedTuple):
    """The training whose run is searched for.

    :param options: all of them, spelled out (:meth:`mtt.options.Options.to_dict`).
    :param seeded: whether the file asks for a seed, or one was drawn.
    """

    command: Command
    options: dict[str, Any]
    seeded: bool
    architecture: Architecture


def newest_own(wanted: Wanted, outputs: Path = OUTPUTS) -> Path | None:
    """The newest valid checkpoint of the newest run that belongs to ``wanted``.

    None where no run has a checkpoint, or own ones were stopped before their first.
    What is passed over is logged: damaged files, runs of other options files.

    :raises CheckpointError: not one checkpoint of its runs can be read; the runs here are of
        other options files; several trainings were begun in Python and it is open which is meant.
    """
    others: list[Path] = []
    damaged: list[Problem] = []
    own = False
    for run in _of_python(wanted, outputs) if not wanted.command.file else runs_in(outputs):
        found = newest_of_run(run)
        if not belongs(run, wanted.command) and not _takes_unrecorded(run, found, wanted):
            others += [run] if found.path or found.damaged else []
            continue
        own = True
        for problem in found.damaged:
            log.warning("passed over: %s", problem)
        damaged += found.damaged
        if found.path is not None:
            if others:
                log.info("%s is the newest run, but of %s", others[0], _whose(others[0]))
                log.info("the newest run of %s is %s", wanted.command.name, run)
            return found.path
    if damaged:
        raise CheckpointError(
            "none of the checkpoints can be read",
            where=str(outputs),
            hint="name one with --restart FILE, or train from scratch without --restart",
        )
    if others and not own:
        raise _all_of_others(others, wanted.command, outputs)
    return None


def belongs(run: Path, command: Command) -> bool:
    """Whether the run in the folder ``run`` is known to be of the same options file."""
    known = recorded(run)
    if command.file and Path(command.file) == (run / OPTIONS).resolve():
        return True  # its own options, spelled out
    return known is not None and known.is_of_the_same_file(command)


def _takes_unrecorded(run: Path, found: Newest, wanted: Wanted) -> bool:
    """Whether a run of an older mtt, which recorded no file, has the options of this one."""
    if recorded(run) is not None or found.path is None or not _is_same(run, wanted):
        return False
    what = "%s does not say whose run it is; its options are those of %s"
    log.info(what, run, wanted.command.name)
    return True


def _of_python(wanted: Wanted, outputs: Path) -> list[Path]:
    """The runs that options passed in Python may resume, first the one that is resumed.

    They have no file to know them by. So runs of the same options come first; where there are
    none, all runs that were begun so have to be of one experiment, as of a script whose options
    were edited.
    """
    runs = runs_in(outputs)
    mine = [run for run in runs if belongs(run, wanted.command)]
    same = [run for run in mine if _is_same(run, wanted)]
    candidates = [run for run in mine if newest_of_run(run).path is not None]
    if not same and len(candidates) > 1:
        newest = _options(candidates[0], wanted)
        seeded = wanted._replace(options=newest or {}, seeded=True)
        if newest is None or not all(_is_same(run, seeded) for run in candidates[1:]):
            raise CheckpointError(
                f"not one of the {len(candidates)} runs that were started in Python has these "
                "options, and they differ among themselves",
                where=str(outputs),
                hint=f"say which one to resume, restart={_newest_of(candidates[0])!r}, or leave "
                "restart out",
            )
    rest = [run for run in runs if run not in mine]
    return [*(same or mine), *rest]


def _is_same(run: Path, wanted: Wanted) -> bool:
    options = _options(run, wanted)
    return options is not None and is_same_experiment(options, wanted.options, wanted.seeded)


def _options(run: Path, wanted: Wanted) -> dict[str, Any] | None:
    """None where they are missing or damaged, and cannot be compared."""
    try:
        return options_in(run, wanted.architecture)
    except MttError:
        return None


def _all_of_others(others: list[Path], command: Command, outputs: Path) -> CheckpointError:
    listed = [f"{run.parent.name}/{run.name} is of {_whose(run)}" for run in others[:NAMED]]
    more = [f"and {len(others) - NAMED} more"] if len(others) > NAMED else []
    return CheckpointError(
        f"not one of the runs here is of {command.name}: {', '.join([*listed, *more])}",
        where=str(outputs),
        hint="begin a new run without --restart, or name the one to resume: --restart "
        f"{_newest_of(others[0])}",
    )


def _newest_of(run: Path) -> str:
    return str(newest_of_run(run).path or run / "checkpoints" / "last.ckpt")


def _whose(run: Path) -> str:
    """The options file of a run, for messages."""
    known = recorded(run)
    if known is None:
        return "a file that it does not name (other options; started by an older mtt)"
    if not known.file or Path(known.file).is_file():
        return known.name
    return f"{known.name} (which no longer exists)"


def runs_below(folder: Path) -> Iterator[Path]:
    """Run folders in ``folder``, at most two levels down, in its ``outputs``, and in those of the
    folders in it; oldest first."""
    for pattern in ("*", "*/*", f"{OUTPUTS}/*/*", f"*/{OUTPUTS}/*/*"):
        found = sorted(folder.glob(pattern), key=lambda path: (path.parts[-2:], path))
        yield from (path for path in found if is_run(path))


def is_run(folder: Path) -> bool:
    """Whether ``folder`` is that of a run."""
    return (folder / OPTIONS).is_file() or (folder / "checkpoints").is_dir()

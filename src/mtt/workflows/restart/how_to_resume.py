"""Messages about a run that ended early: how to resume it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtt.checkpoint import newest_of_run, runs_in
from mtt.errors import TrainingError
from mtt.stopping import Stopped
from mtt.training import TrainingInterrupted
from mtt.workflows.restart.runs import belongs
from mtt.workflows.run.folder import OUTPUTS
from mtt.workflows.run.record import Command

log = logging.getLogger(__name__)


def resuming(run: Path, command: Command, outputs: Path = OUTPUTS) -> str:
    """The whole command that resumes the run in the folder ``run``.

    ``--restart auto`` where that takes this run, else its checkpoint by name; empty where it has
    none yet.

    :param command: the one that began or resumed it.
    """
    newest = newest_of_run(run).path
    if newest is None:
        return ""
    if command.file:
        own = next((one for one in runs_in(outputs) if belongs(one, command)), None)
        if own is not None and own.samefile(run):
            return command.resuming("auto")
    near = newest.resolve()
    here = Path.cwd().resolve()
    return command.resuming(str(near.relative_to(here) if near.is_relative_to(here) else near))


@contextmanager
def during_training(run: Path, command: Command) -> Iterator[None]:
    """Around the training: a stop in it names the command that resumes it."""
    try:
        yield
    except TrainingInterrupted as stop:
        hint = f"resume with: {resuming(run, command)}"
        raise TrainingInterrupted(stop.what, exit_code=stop.exit_code, hint=hint) from None
    except (Stopped, TrainingError):
        if words := resuming(run, command):
            log.info("the last checkpoint is kept; resume with: %s", words)
        raise


@contextmanager
def after_training(run: Path, command: Command) -> Iterator[None]:
    """Around the work after a finished training: a stop names what is left to do."""
    left, done = f"export and evaluate it with: {resuming(run, command)}", False
    try:
        yield
        done = True
    except Stopped as stop:
        done = True
        hint = f"the training is done and saved; {left}"
        raise Stopped(stop.what, exit_code=stop.exit_code, hint=hint) from None
    finally:
        if not done:
            log.info("the training is done and saved; once this is fixed, %s", left)

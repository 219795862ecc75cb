"""What ``--restart`` goes on from: a checkpoint, its seed, its run folder."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from mtt.checkpoint import find_latest_run, newest_valid
from mtt.data import DatasetInfo
from mtt.errors import CheckpointError, Problem
from mtt.mlip.support import restart_problems
from mtt.options import Options, RawOptions
from mtt.registry import Architecture
from mtt.workflows.folder import OPTIONS, OUTPUTS, RunFolder, new_folder, root_of
from mtt.workflows.load import load_checkpoint
from mtt.workflows.provenance import stored_provenance

log = logging.getLogger(__name__)


class Restart(NamedTuple):
    """The checkpoint of a run that goes on."""

    path: Path
    checkpoint: dict[str, Any]
    architecture: Architecture

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the weights come from, as the platform wrote it; empty for other checkpoints."""
        return stored_provenance(self.path, self.checkpoint)


def find_restart(
    wish: str | Path | None, name: str, architectures: Sequence[str | Path]
) -> Restart | None:
    """The checkpoint that ``wish`` names, the newest one for ``"auto"``, or None.

    :param name: the architecture, for checkpoints of trainers that do not store it.

    ``"auto"`` starts from scratch where there is no run yet, and says so.

    :raises CheckpointError: the file cannot be used; for ``auto``: there are runs, but not one
        checkpoint that can be read.
    """
    if wish is None:
        return None
    path = Path(wish)
    if str(wish) == "auto":
        newest = find_latest_run(OUTPUTS)
        for problem in newest.damaged:
            log.warning("passed over: %s", problem)
        if newest.path is None and newest.damaged:
            raise CheckpointError(
                "none of the checkpoints can be read",
                where=str(OUTPUTS),
                hint="name one with --restart FILE, or train from scratch without --restart",
            )
        if newest.path is None:
            log.info("there is no run in %s to go on from; starting from scratch", OUTPUTS)
            return None
        path = newest.path
    checkpoint, architecture = load_checkpoint(path, architectures, name=name, trainer=True)
    log.info("going on from %s, after epoch %s", path, checkpoint.get("epoch"))
    return Restart(path, checkpoint, architecture)


def with_its_seed(options: Options, raw: RawOptions, restart: Restart) -> Options:
    """``options`` with the seed of the run that goes on, unless the file sets one.

    The seed decides the split: another one would leak validation into training.

    :raises CheckpointError: the file sets another seed than the run had.
    """
    known = restart.provenance.get("seed")
    if known is None:
        return options
    if raw.base.get("seed") is None:
        return replace(options, seed=known)
    if options.seed != known:
        raise CheckpointError(
            f"the run has seed {known}, the options say {options.seed}",
            where=str(restart.path),
            hint="another seed divides the data anew and lets validation leak into training; "
            "leave seed out, or fine-tune instead of restarting",
        )
    return options


def check_same_data(restart: Restart, fingerprint: str, info: DatasetInfo) -> None:
    """Refuse to go on with other training or validation structures, or other labels.

    :raises CheckpointError: the data differ from those of the run; elements and targets that
        are new are named.
    """
    known = restart.provenance.get("data")
    if known is None or known == fingerprint:
        return
    problems = []
    stored = restart.checkpoint.get("dataset_info")
    if isinstance(stored, Mapping):
        problems = restart_problems(DatasetInfo.from_dict(stored), info)
    what = "the training or validation data are not those of the run"
    hint = (
        "put the files and the split back, or fine-tune: architecture.training.finetune.read_from"
    )
    problems.append(Problem(what, hint=hint))
    where = str(restart.path)
    raise CheckpointError.collect([problem._replace(where=where) for problem in problems])


def run_folder(restart: Restart | None) -> RunFolder:
    """The folder of the run that goes on; a new one for a new run.

    Going back to an older checkpoint of a run is a new run: its later checkpoints stay what
    they are, and ``auto`` never mixes the two.
    """
    known = None if restart is None else resumed_folder(restart)
    return new_folder() if known is None else known


def resumed_folder(restart: Restart) -> RunFolder | None:
    """The folder of the run, where ``restart`` is its newest checkpoint."""
    root = root_of(restart.path)
    newest = newest_valid(restart.path.resolve().parent).path
    if (root / OPTIONS).is_file() and newest is not None and newest.samefile(restart.path):
        return RunFolder(root)
    return None

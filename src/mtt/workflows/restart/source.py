"""What ``--restart`` resumes: a checkpoint, its seed, its options, its run folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isclose
from pathlib import Path
from typing import Any

from mtt.checkpoint import newest_valid
from mtt.data import DatasetInfo
from mtt.errors import CheckpointError, MttError, Problem
from mtt.fetching import is_address, shown
from mtt.mlip.support import restart_problems, symbols
from mtt.options import Options, RawOptions
from mtt.options.training.finetune import rate_factor
from mtt.ranks import Ranks, SerialRanks
from mtt.registry import Architecture
from mtt.workflows.restart.differences import Difference, said
from mtt.workflows.restart.refusals import refusals
from mtt.workflows.restart.runs import Wanted, belongs, newest_own
from mtt.workflows.restart.stored_options import changes, options_in, with_checkpoint
from mtt.workflows.run.folder import OPTIONS, OUTPUTS, RunFolder, new_folder, root_of
from mtt.workflows.run.given import with_numbers
from mtt.workflows.run.load_model import load_checkpoint
from mtt.workflows.run.provenance import stored_provenance
from mtt.workflows.run.record import Command, recorded

log = logging.getLogger(__name__)

_DATA = ("training_set", "validation_set", "test_set")


@dataclass(frozen=True)
class Restart:
    """The checkpoint of a run that is resumed.

    :param command: the one that resumes it.
    """

    path: Path
    checkpoint: dict[str, Any]
    architecture: Architecture
    command: Command

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the weights come from, as the platform wrote it; empty for other checkpoints."""
        return stored_provenance(self.path, self.checkpoint)

    @property
    def info(self) -> DatasetInfo | None:
        """Elements and targets of the run; None where the checkpoint does not say."""
        stored = self.checkpoint.get("dataset_info")
        return DatasetInfo.from_dict(stored) if isinstance(stored, Mapping) else None

    @cached_property
    def options(self) -> dict[str, Any]:
        """The options that the run was trained with, as far as they are known."""
        run = root_of(self.path)
        stored: dict[str, Any] | None = None
        try:
            stored = options_in(run, self.architecture)
        except MttError as error:
            log.warning("the options of the run cannot be read, some are not compared: %s", error)
        else:
            if stored is None:
                what = "%s is missing in %s: only what the checkpoint says of options is compared"
                log.info(what, OPTIONS, run)
        return with_checkpoint(stored or {}, self.checkpoint, self.architecture)

    def differences(self, options: Options) -> list[Difference]:
        """Where ``options`` are not those of the run; sections that are not known are left out."""
        wanted = options.to_dict()
        known = {key: value for key, value in self.options.items() if key in wanted}
        section = known["architecture"]
        architecture = {k: v for k, v in wanted["architecture"].items() if k in section}
        new = {key: wanted[key] for key in known} | {"architecture": architecture}
        return changes(known, new)


def find_restart(
    wish: str | Path | None,
    wanted: Wanted,
    architectures: Sequence[str | Path],
    ranks: Ranks | None = None,
) -> Restart | None:
    """The checkpoint that ``wish`` names, or None.

    ``"auto"`` takes the newest one of the newest run of the same options file. It starts from
    scratch where no run exists yet, and says so.

    :param ranks: that resume together; the first one chooses.
    :raises CheckpointError: the file cannot be used; for ``auto``: as
        :func:`mtt.workflows.restart.runs.newest_own`.
    """
    if wish is None:
        return None
    if is_address(wish):
        raise CheckpointError(
            "a training is resumed from a file of its run, not from an address",
            where=shown(str(wish)),
            hint="download it, or fine-tune: architecture.training.finetune.read_from",
        )
    path = Path(wish)
    if str(wish) == "auto":
        known = SerialRanks() if ranks is None else ranks
        newest = known.on_first(lambda: newest_own(wanted))
        if newest is None:
            log.info("no run in %s to resume; starting from scratch", OUTPUTS)
            return None
        path = newest
    name = wanted.architecture.name
    checkpoint, architecture = load_checkpoint(path, architectures, name=name, trainer=True)
    log.info("resuming from %s, after epoch %s", path, checkpoint.get("epoch"))
    return Restart(path, checkpoint, architecture, wanted.command)


def with_its_options(
    options: Options, raw: RawOptions, restart: Restart, folders: Sequence[str | Path] = ()
) -> Options:
    """``options`` with the seed of the run that is resumed, unless the file sets one.

    The seed decides the split: another one would leak validation into training. A fine-tuning that
    began before its method had a default learning rate keeps the rate. What the options
    name by a checkpoint is read from it and compared with the numbers that the run took.

    :raises CheckpointError: options differ from the run's that a running training cannot take;
        all of them, with both values.
    """
    seed = restart.provenance.get("seed")
    if seed is not None and raw.base.get("seed") is None:
        options = replace(options, seed=seed)
    options = _with_its_rate(options, raw, restart)
    if restart.architecture.name == options.architecture["name"] and restart.info is not None:
        with raw.locating(("architecture", "training")):
            options = with_numbers(options, restart.architecture, restart.info, folders)
    if problems := list(_refused(options, raw, restart)):
        raise CheckpointError.collect(problems)
    return options


def _with_its_rate(options: Options, raw: RawOptions, restart: Restart) -> Options:
    """Take back the factor of the method if the run has the default rate without it."""
    training = options.architecture["training"]
    known = restart.options["architecture"].get("training") or {}
    architecture = raw.base.get("architecture")
    written = architecture.get("training") if isinstance(architecture, Mapping) else None
    if not isinstance(training.get("finetune"), Mapping):  # refused later
        return options
    factor = rate_factor(training, written or {})
    before = known.get("learning_rate")
    if factor == 1 or before is None or not isclose(before * factor, training["learning_rate"]):
        return options
    log.info("learning_rate stays %g, as in the run", before)
    own = {**training, "learning_rate": before}
    return replace(options, architecture={**options.architecture, "training": own})


def _refused(options: Options, raw: RawOptions, restart: Restart) -> Iterator[Problem]:
    where = str(restart.path)
    seed = restart.provenance.get("seed")
    if seed is not None and options.seed != seed:
        hint = "another seed divides the data differently and lets validation leak into training; "
        hint += "leave seed out, name a checkpoint of a run with this seed, or fine-tune"
        what = f"the run has seed {seed}, the options say {options.seed}"
        yield Problem(what, where, hint)
    # of another architecture no option is the same; it is refused when its model is made
    if restart.architecture.name == options.architecture["name"]:
        changed = restart.differences(options)
        yield from refusals(changed, restart.checkpoint, restart.architecture, raw, where)


def check_same_data(
    restart: Restart, fingerprint: str, info: DatasetInfo, options: Options
) -> None:
    """Refuse to resume with other training or validation structures, or other labels.

    :raises CheckpointError: the data differ from those of the run; elements and targets that
        are new, elements that are gone, and options of the data that differ are named.
    """
    known = restart.provenance.get("data")
    before = restart.info
    problems = list(_fewer_elements(before, info)) if before is not None else []
    if known is not None and known != fingerprint:
        problems += restart_problems(before, info) if before is not None else []
        changed = [one for one in restart.differences(options) if one.path[0] in _DATA]
        problems += [Problem(said(one)) for one in changed]
        what = "the training or validation data are not those of the run"
        hint = "put the files and the split back, or fine-tune: "
        problems.append(Problem(what, hint=f"{hint}architecture.training.finetune.read_from"))
    elif known is None:
        log.warning("%s does not say which data it was trained on: keep them", restart.path)
    where = str(restart.path)
    if problems:
        raise CheckpointError.collect([problem._replace(where=where) for problem in problems])


def _fewer_elements(known: DatasetInfo, wanted: DatasetInfo) -> Iterator[Problem]:
    gone = sorted(set(known.atomic_types) - set(wanted.atomic_types))
    if gone:
        what = f"the run's model knows {symbols(gone)} too, which the options leave out"
        yield Problem(what, hint=f"set architecture.atomic_types: {[*known.atomic_types]}")


def run_folder(restart: Restart | None) -> RunFolder:
    """The folder of the run that is resumed; a new one for a new run.

    Going back to an older checkpoint of a run is a new run: its later checkpoints stay what
    they are, and ``auto`` never mixes the two. So is what another options file makes of a run,
    or the file in which the run itself wrote its options down.
    """
    known = None if restart is None else resumed_folder(restart)
    return new_folder() if known is None else known


def resumed_folder(restart: Restart) -> RunFolder | None:
    """The folder of the run, where ``restart`` is its newest checkpoint and it is resumed there."""
    root = root_of(restart.path)
    newest = newest_valid(restart.path.resolve().parent).path
    own = recorded(root) is None or belongs(root, restart.command)
    own = own and Path(restart.command.file) != (root / OPTIONS).resolve()
    if own and (root / OPTIONS).is_file() and newest and newest.samefile(restart.path):
        return RunFolder(root)
    return None

"""Train, export and evaluate a model from an options file."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtt import registry
from mtt.evaluation import Report
from mtt.interface import Listener, Run
from mtt.options import load_options, resolve
from mtt.processes.join import joined
from mtt.ranks import Ranks, SerialRanks
from mtt.stopping import stop_if_asked, watch_signals
from mtt.training.reporting.events import Events
from mtt.training.stopping.timing import parse_max_time
from mtt.workflows.announce import (
    announce_data,
    announce_model,
    describe,
    show_first_errors,
)
from mtt.workflows.claim import claimed
from mtt.workflows.finetune.improvement import first_errors
from mtt.workflows.finetune.replay.keep import replay_of, with_replay
from mtt.workflows.finetune.replay.make import Asked
from mtt.workflows.following.history import Recorder
from mtt.workflows.following.progress import showing
from mtt.workflows.following.result import TrainResult
from mtt.workflows.outcome import export_and_evaluate
from mtt.workflows.plan import Plan, training_options
from mtt.workflows.reporting.refresh import refreshing
from mtt.workflows.restart.how_to_resume import after_training, during_training
from mtt.workflows.restart.runs import Wanted
from mtt.workflows.restart.source import (
    check_same_data,
    find_restart,
    run_folder,
)
from mtt.workflows.run.absent_losses import drop_losses_without_labels
from mtt.workflows.run.agreement import (
    announce_ranks,
    check_same_options,
    check_same_start,
    check_several,
)
from mtt.workflows.run.datasets import read_data
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.run.given import with_numbers
from mtt.workflows.run.inputs import announce_inputs, check_inputs
from mtt.workflows.run.listeners import check_listeners, make_events
from mtt.workflows.run.machine import choose_device, choose_dtype, of_rank
from mtt.workflows.run.provenance import completed, fingerprint, provenance
from mtt.workflows.run.record import command_of
from mtt.workflows.run.stored_name import check_stored_name
from mtt.workflows.start import Start, fine_tuned, new_model, restarted, with_its_start
from mtt.workflows.training_outputs import checked_output, refuse_to_overwrite

log = logging.getLogger(__name__)


def train(
    options: str | Path | Mapping[str, Any],
    *,
    output: str | Path = "model.pt",
    restart: str | Path | None = None,
    overrides: Sequence[str] = (),
    dry_run: bool = False,
    architectures: Sequence[str | Path] = (),
    listeners: Sequence[Listener] = (),
    progress: bool | None = None,
) -> TrainResult:
    """Train a model, export it, evaluate it.

    :param options: the options file, or its content.
    :param output: the exported model; the checkpoint goes beside it, with ``.ckpt``.
    :param restart: a checkpoint to resume, or ``"auto"`` for the newest run of the same options
        file. All other options are those of this call; where they differ from the run's, the
        differences are logged.
    :param overrides: ``"key.subkey=value"``, laid over the file.
    :param dry_run: check everything, train and write nothing.
    :param architectures: folders of architectures outside of the package.
    :param listeners: called as ``listener(category, values, epoch)`` for every event.
    :param progress: show how far the training is; None: in notebooks.
    :raises MttError: a mistake in the options, the data or the files. Nothing is written before
        all of them are checked.
    :raises Stopped: a signal came, or ``max_time`` is over. What was trained is saved.
    """
    with joined(os.environ) as ranks, ExitStack() as held:
        shown = listeners if ranks.is_first else ()
        plan, start = check_only(
            options, Path(output), restart, overrides, architectures, shown, dry_run, ranks
        )
        if dry_run:
            return TrainResult()
        if ranks.is_first:
            held.enter_context(claimed(plan.output))
        folder = ranks.on_first(lambda: run_folder(plan.restart))
        if ranks.is_first:
            held.enter_context(folder.logging())
        announce_model(plan, start)
        known = {**start.provenance, **ranks.on_first(lambda: first_errors(plan, start))}
        origin = provenance(known, plan.options.seed, plan.data)
        ranks.on_first(lambda: describe(plan, folder, origin))
        recorder = Recorder()
        bars = held.enter_context(showing(progress if ranks.is_first else False))
        pages = refreshing(plan, folder.path) if ranks.is_first else []
        followers: list[Listener] = [*shown, recorder, *bars, *pages]
        reports = run_and_export(plan, start, folder, origin, followers, ranks)
    resumable = plan.output.with_suffix(".ckpt")
    return TrainResult(plan.output, resumable, folder.path, reports, recorder.history)


def check_only(
    options: str | Path | Mapping[str, Any],
    output: Path | None = None,
    restart: str | Path | None = None,
    overrides: Sequence[str] = (),
    architectures: Sequence[str | Path] = (),
    listeners: Sequence[Listener] = (),
    dry_run: bool = True,
    ranks: Ranks | None = None,
) -> tuple[Plan, Start]:
    """Everything up to the first step: options, data, model and trainer, all checked.

    :param output: None where nothing will be written.
    :param dry_run: report what was found, since no training follows that would.
    :param ranks: that check together; None: this process alone.
    """
    known = SerialRanks() if ranks is None else ranks
    plan = read_inputs(options, output, restart, overrides, architectures, dry_run, known)
    known.limit_waiting(parse_max_time(plan.training.rank_timeout, "rank_timeout") or 600.0)
    announce_ranks(known, plan.training)
    announce_data(plan, Events(listeners))
    start = begin(plan)
    show_first_errors(start, Events(listeners))
    check_inputs(plan, start)
    announce_inputs(plan, start)
    with plan.raw.locating(("architecture", "training")):
        devices = [plan.device]
        data = plan.data
        start.trainer.check(start.model, plan.dtype, devices, data.training, data.validation)
        check_stored_name(start.model, start.trainer, plan.architecture.name)
    stop_if_asked()
    if dry_run:
        announce_model(plan, start)
        log.info("the options, the data and the model are in order; nothing was trained")
    return plan, start


def read_inputs(
    options: str | Path | Mapping[str, Any],
    output: Path | None,
    restart: str | Path | None,
    overrides: Sequence[str],
    folders: Sequence[str | Path],
    dry_run: bool,
    ranks: Ranks,
) -> Plan:
    """Options, architecture and data, all checked."""
    raw = load_options(options, overrides)
    with raw.locating():
        architecture = registry.find(raw.architecture_name, folders).load()
    resolved = resolve(raw, architecture)
    for notice in (*resolved.notices, architecture.deprecation):
        if notice:
            log.warning("%s", notice)
    with raw.locating():
        check_listeners(resolved)
        check_several(ranks, architecture.trainer, architecture.name)
        device = choose_device(resolved.device, architecture.model)
        device = of_rank(device, ranks)
        dtype = choose_dtype(resolved.base_precision, architecture.model)
    seeded = raw.base.get("seed") is not None
    check_same_options(resolved, seeded, ranks)
    resolved = replace(resolved, seed=ranks.broadcast(resolved.seed))
    named = ranks.on_first(lambda: checked_output(output, dry_run))
    command = command_of(raw.source, output or named, tuple(overrides), tuple(folders))
    wanted = Wanted(command, resolved.to_dict(), seeded, architecture)
    resumed = find_restart(restart, wanted, folders, ranks)
    if output is not None:
        refuse_to_overwrite(named, raw, resolved, resumed)
    resolved = with_its_start(resolved, raw, resumed, architecture, folders)
    with raw.locating(("training_set",)):
        data = read_data(resolved)
    resolved = drop_losses_without_labels(resolved, raw, data.info)
    with raw.locating(("architecture", "training")):
        resolved = with_numbers(resolved, architecture, data.info, folders)
        training = training_options(architecture, resolved.architecture["training"])
        replay = replay_of(
            Asked(training.finetune, data, resolved, architecture, folders, device, dtype), resumed
        )
    if replay is not None:
        data = with_replay(data, replay)
    check_same_start(ranks, data, device, dtype, None if resumed is None else resumed.path)
    if resumed is not None:
        check_same_data(resumed, fingerprint(data), data.info, resolved)
    found = (raw, resolved, architecture, data, resumed)
    return Plan(*found, device, dtype, named, folders, command, training, replay)


def begin(plan: Plan) -> Start:
    """The model and its trainer: new, restarted or fine-tuned."""
    hypers, info = plan.options.architecture, plan.data.info
    seed_everything(plan.options.seed)
    if plan.restart is not None:
        return restarted(plan.restart, plan.architecture, hypers, plan.training, info)
    if plan.training.finetune.read_from:
        with plan.raw.locating(("architecture", "training", "finetune")):
            return fine_tuned(plan)
    with plan.raw.locating(("architecture", "model")):
        return new_model(plan.architecture, hypers, info, plan.dtype, plan.options.seed)


def run_and_export(
    plan: Plan,
    start: Start,
    folder: RunFolder,
    origin: Mapping[str, Any],
    followers: Sequence[Listener],
    ranks: Ranks,
) -> dict[str, Report]:
    """Train, export the best weights and score them; ``followers`` get all events of it."""
    listeners = [*start.trainer.run.listeners, *followers]
    with closing(make_events(plan.options, folder.path, listeners, ranks)) as events:
        with during_training(folder.path, plan.command):
            checkpoint = run(plan, start, folder, origin, events, ranks)
        with after_training(folder.path, plan.command):
            return ranks.on_first(lambda: export_and_evaluate(plan, folder, checkpoint, events))


def run(
    plan: Plan,
    start: Start,
    folder: RunFolder,
    origin: Mapping[str, Any],
    events: Events,
    ranks: Ranks,
) -> dict[str, Any]:
    """Train, and write the checkpoint that holds the outcome.

    :return: the checkpoint as it was read back; empty on other ranks than the first.
    """
    start.trainer.run = Run(
        seed=plan.options.seed,
        architecture=plan.architecture.name,
        directory=folder.path,
        listeners=(events.notify,),
        own_loggers=False,
        provenance=origin,
        ranks=ranks,
    )
    ranks.on_first(lambda: folder.checkpoints.mkdir(exist_ok=True))
    for dataset in [*plan.data.training, *plan.data.validation]:
        dataset.prepare(start.model.requested_neighbor_lists())
    stop_if_asked()
    # a trainer that looks for signals itself says so
    with watch_signals("at once"):
        start.trainer.train(
            start.model,
            plan.dtype,
            [plan.device],
            plan.data.training,
            plan.data.validation,
            str(folder.checkpoints),
        )
    start.trainer.save_checkpoint(start.model, folder.checkpoint)
    if not ranks.is_first:
        return {}
    return completed(folder.checkpoint, plan.architecture.name, origin)


# ------------------------------------------------------------------------- small steps


def seed_everything(seed: int) -> None:
    """Seed the generators that an architecture's own trainer may draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)

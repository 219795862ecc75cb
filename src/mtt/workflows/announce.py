"""What a training says before it begins: its data, its model, its files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mtt.data import merge
from mtt.data.labels.sums import sum_notices
from mtt.data.statistics import statistics
from mtt.options import Options
from mtt.training.reporting.events import Events
from mtt.workflows.finetune.replay.keep import keep
from mtt.workflows.plan import Plan
from mtt.workflows.reporting.environment import ENVIRONMENT, environment
from mtt.workflows.restart.source import Restart
from mtt.workflows.run.folder import OPTIONS, PROVENANCE, RunFolder
from mtt.workflows.run.held_out import SETS, sets_of
from mtt.workflows.run.record import RECORD
from mtt.workflows.start import Start

log = logging.getLogger(__name__)

# below this many structures statistics cost less than anybody notices
_MANY = 1_000_000


def announce_data(plan: Plan, events: Events) -> None:
    """Statistics of the data, and what the user should know about them."""
    for notice in plan.data.notices:
        log.warning("%s", notice)
    if plan.restart is None and not is_finetuned(plan):
        for notice in sum_notices(merge([one for one in plan.data.training if len(one)])):
            log.warning("%s", notice)
    if not plan.data.info.length_unit:
        log.warning(
            "the structures have no length_unit: engines will take the exported model's lengths "
            "as theirs"
        )
    parts = plan.data.parts()
    n_structures = sum(len(one) for sets in parts.values() for one in sets)
    wish = plan.options.print_stats
    if wish is True or (wish == "auto" and n_structures < _MANY):
        for name, sets in parts.items():
            events("statistics", 0, dataset=f"{name} set", statistics=statistics(merge(sets)))


def show_first_errors(start: Start, events: Events) -> None:
    """How far the first predictions of a fine-tuning are from the labels, as a table."""
    if start.labels is not None:
        events("step_0", 0, dataset=start.labels.name, report=start.labels.report)


def is_finetuned(plan: Plan) -> bool:
    """Whether a trained model, which knows what its targets are, is where the run begins."""
    return bool(plan.training.finetune.read_from)


def announce_model(plan: Plan, start: Start) -> None:
    """What is about to be trained, and on what."""
    log.info(
        "%s with %d parameters, %s, on %s; seed %d",
        plan.architecture.name,
        sum(weights.numel() for weights in start.model.parameters()),
        str(plan.dtype).removeprefix("torch."),
        plan.device,
        plan.options.seed,
    )
    log.debug("the model:\n%s", start.model)
    if start.labels is not None:
        # shown before there was a run folder; these lines are for train.log
        for line in (start.labels.line, *start.labels.notices):
            log.debug("%s", line)
    if plan.restart is not None:
        _report_differences(plan.restart, plan.options)


def _report_differences(restart: Restart, options: Options) -> None:
    """Every option that is not the run's, old and new: a restart takes them from the file."""
    changed = restart.differences(options)
    if not changed:
        log.info("all options are those of the run")
        return
    log.info("options that differ from the run's, which are %s:", restart.path)
    for one in changed:
        log.info("  %s", one)


def describe(plan: Plan, folder: RunFolder, origin: Mapping[str, Any]) -> None:
    """Write down what the run is made of, and say what its files will be."""
    folder.write_text(OPTIONS, plan.options.to_yaml())
    folder.write_indices(plan.data.indices, plan.data.places)
    folder.write_json("dataset_info.json", plan.data.info.to_dict())
    folder.write_json(PROVENANCE, {**origin, SETS: sets_of(plan.data)})
    folder.write_json(RECORD, plan.command.to_dict())
    folder.write_json(ENVIRONMENT, environment(plan.device))
    if plan.replay is not None:
        keep(plan.replay, folder.path)
    log.info("run folder: %s (log, history, checkpoints, options_restart.yaml)", folder.path)
    log.info("exported model: %s, checkpoint: %s", plan.output, plan.output.with_suffix(".ckpt"))

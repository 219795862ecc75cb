"""What follows a training: its best weights exported, and scored on all parts of the data."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mtt.checkpoint import upgrade
from mtt.data import merge
from mtt.evaluation import Report
from mtt.exporting import export_model
from mtt.interface import ModelInterface
from mtt.report.collect import Collector
from mtt.training.reporting.events import Events
from mtt.workflows.evaluate import score
from mtt.workflows.finetune.improvement import BEFORE, report_improvement
from mtt.workflows.finetune.replay.forgetting import REPLAYED, report_forgetting
from mtt.workflows.plan import Plan
from mtt.workflows.reporting.figures import write_figures
from mtt.workflows.reporting.write import REPORT, collector_of, write_at_end
from mtt.workflows.run.folder import RunFolder, place
from mtt.workflows.run.load_model import model_from, which_weights
from mtt.workflows.run_facts import EVALUATION, evaluated

log = logging.getLogger(__name__)

# structures per batch when a trained model is scored; memory stays that of a training step
_SCORE_BATCH = 16


def export_and_evaluate(
    plan: Plan, folder: RunFolder, checkpoint: dict[str, Any], events: Events
) -> dict[str, Report]:
    """Export the best weights, put the files where ``-o`` says, and score the model.

    :param checkpoint: of the training that has ended, as it was read back from the disk.
    :return: errors by part of the data; empty where ``final_eval`` is off.
    """
    name = str(folder.checkpoint)
    upgraded = upgrade(checkpoint, plan.architecture, trainer=False, where=name)
    model = model_from(upgraded, plan.architecture, "export", name)
    if upgraded.get("best_epoch") is not None:
        log.info("exporting the %s", which_weights(upgraded))
    _export(plan, folder, model)
    events.keep_file(folder.model)
    origin = upgraded.get("provenance") or {}
    if plan.replay is not None and origin.get(REPLAYED):
        report_forgetting(plan.replay, model, origin[REPLAYED], folder)
    epoch = upgraded.get("best_epoch") or 0
    collector = collector_of(plan, folder) if plan.options.report else None
    reports: dict[str, Report] = {}
    if plan.options.final_eval:
        reports = _evaluate(plan, folder, model, epoch, events, collector)
    if "validation" in reports and origin.get(BEFORE):
        report_improvement(origin[BEFORE], reports["validation"])
    if collector is not None:
        found = collector.found if plan.options.final_eval else None
        write_at_end(plan, folder, model, found, upgraded.get("best_epoch"))
        if (folder.path / REPORT).is_file():
            events.keep_file(folder.path / REPORT)
        for path in write_figures(folder.path, plan.folders) if events.show_figures else ():
            events.keep_figure(path)
    return reports


def _export(plan: Plan, folder: RunFolder, model: ModelInterface) -> None:
    export_model(model, folder.model, verify_on=merge(plan.data.validation))
    for source, target in (
        (folder.model, plan.output),
        (folder.checkpoint, plan.output.with_suffix(".ckpt")),
    ):
        place(source, target)
        log.info("wrote %s", target)


def _evaluate(
    plan: Plan,
    folder: RunFolder,
    model: ModelInterface,
    epoch: int,
    events: Events,
    collector: Collector | None,
) -> dict[str, Report]:
    """:param collector: keeps predictions for the report."""
    parts, device, extended = plan.data.parts(), str(plan.device), plan.training.extended_metrics
    follow = collector.of if collector is not None else lambda part: None
    reports = score(model, parts, _SCORE_BATCH, device, extended, follow)
    folder.write_json(EVALUATION, evaluated(reports, epoch))
    for part, report in reports.items():
        for row in report.rows:
            # listeners show the table; the line is for train.log
            numbers = (part, row.quantity, row.rmse, row.mae, row.unit)
            log.debug("%s %s: RMSE %.4g, MAE %.4g %s", *numbers)
        events("evaluation", epoch, part=part, dataset=f"the {part} set", report=report)
    if "test" in reports:
        events("test", epoch, **_of_test(reports["test"]))
    return reports


def _of_test(report: Report) -> dict[str, Mapping[str, Any]]:
    """``metrics`` and ``units`` of the event."""
    rows = report.rows
    metrics = {f"{row.quantity} RMSE": row.rmse for row in rows}
    metrics |= {f"{row.quantity} MAE": row.mae for row in rows}
    units = {f"{row.quantity} {kind}": row.unit for row in rows for kind in ("RMSE", "MAE")}
    return {"metrics": metrics, "units": units}

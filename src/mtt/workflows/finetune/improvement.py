"""What a fine-tuning improves: errors on the validation set before and after it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mtt.evaluation import Report, Row
from mtt.training.numerics.determinism import deterministic
from mtt.workflows.evaluate import score
from mtt.workflows.plan import Plan
from mtt.workflows.start import Start

log = logging.getLogger(__name__)

BEFORE = "validation_before"
"""Key of the provenance for the errors before the first step."""

_BATCH = 16
_PART = "validation"

Errors = dict[str, dict[str, Any]]
"""RMSE and shown unit by quantity."""


def first_errors(plan: Plan, start: Start) -> dict[str, Errors]:
    """Errors of a fine-tuned model before its first step, for the provenance.

    Empty where nothing is compared: new heads alone, a restart, no evaluation at the end.
    """
    if start.labels is None or plan.restart is not None or not plan.options.final_eval:
        return {}
    with deterministic(plan.training.deterministic):
        parts = {_PART: plan.data.validation}
        report = score(start.model, parts, _BATCH, str(plan.device))[_PART]
    kept = () if plan.replay is None else tuple(plan.replay.second_heads)
    rows = [row for row in _rows(report) if not _is_of(row, kept)]
    return {BEFORE: {row.quantity: {"rmse": row.rmse, "unit": row.unit} for row in rows}}


def report_improvement(before: Mapping[str, Mapping[str, Any]], report: Report) -> None:
    """Log the errors before and after the training; warn where none of them is smaller.

    :param before: what :func:`first_errors` found.
    :param report: of the validation set, after the training.
    """
    compared = [row for row in _rows(report) if row.quantity in before]
    if not compared:
        return
    errors = "; ".join(
        f"{row.quantity} {before[row.quantity]['rmse']:.4g} -> {row.rmse:.4g} {row.unit}".rstrip()
        for row in compared
    )
    line = f"fine-tuning: {errors} (RMSE on the validation set, before -> after)"
    better = [row for row in compared if row.rmse < before[row.quantity]["rmse"]]
    worse = [row.quantity for row in compared if row.rmse > before[row.quantity]["rmse"]]
    if not better:
        log.warning(
            "%s: the model is not better than its source. Try a third of the learning_rate, "
            "method: lora or heads for few structures, or more epochs; mtt check looks at the "
            "labels",
            line,
        )
    elif worse:
        log.warning(
            "%s: %s became worse; a greater weight in the loss, or a third of the learning_rate, "
            "may help",
            line,
            " and ".join(worse),
        )
    else:
        log.info("%s", line, extra={"result": True})


def _is_of(row: Row, heads: Sequence[str]) -> bool:
    """Whether it is an error of one of ``heads``, which keep the labels of the source."""
    return any(row.quantity == head or row.quantity.startswith(f"{head} ") for head in heads)


def _rows(report: Report) -> list[Row]:
    """Energies per atom alone, not those of whole structures too."""
    return [row for row in report.rows if not row.quantity.endswith(" total")]

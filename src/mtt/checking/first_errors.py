"""What ``mtt check`` says of a fine-tuning: its first predictions against the labels."""

from __future__ import annotations

from collections.abc import Iterator

from mtt.scanning import Finding, Place
from mtt.scanning.tools.finding import Severity
from mtt.workflows.finetune.labels import AgainstLabels
from mtt.workflows.start import Start

CHECK = "fine-tuning"


def check_first_errors(start: Start) -> Iterator[Finding]:
    """One finding per notice; ``fine`` where the labels are those that the source predicts."""
    if start.labels is None:
        return
    places = tuple(Place("training", file) for file in start.labels.files)
    for notice in start.labels.notices:
        severity: Severity = "suspicious" if notice.warns else "note"
        yield Finding(CHECK, severity, notice.what, places, None, "", notice.advice)
    if not start.labels.notices and start.labels.report.rows:
        yield Finding(CHECK, "fine", _errors(start.labels), places)


def _errors(labels: AgainstLabels) -> str:
    rows = [row for row in labels.report.rows if not row.quantity.endswith(" total")]
    errors = ", ".join(f"{row.quantity} {row.rmse:.4g} {row.unit}".rstrip() for row in rows)
    return f"the source predicts {labels.name} with an RMSE of {errors}"

"""What a fine-tuned model began as, and what the training made of its errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mtt.report.markup import Html, element, number, table
from mtt.report.run_data import RunData


def origin(run: RunData) -> Iterator[Html]:
    """Nothing for a run that began with new weights."""
    known = run.provenance
    source = known.get("source")
    if known.get("start") != "finetune" or not isinstance(source, Mapping):
        return
    epoch = f", epoch {source['epoch']}" if source.get("epoch") is not None else ""
    method = f", method {known['method']}" if known.get("method") else ""
    place = element("code", str(source.get("path") or source.get("name") or "a model in memory"))
    yield element("p", "Fine-tuned from ", place, f"{epoch}{method}.")
    before, after = known.get("validation_before"), run.final_errors.get("validation", {})
    if not isinstance(before, Mapping):
        return
    rows = []
    for quantity, one in before.items():
        unit = str(one.get("unit") or "")
        name = f"{quantity} RMSE ({unit})" if unit else f"{quantity} RMSE"
        if name in after:
            rows.append([quantity, number(one["rmse"]), number(after[name]), unit])
    if rows:
        columns = ["", "before", "after", "unit"]
        yield table(columns, rows, "RMSE on the validation set, before and after fine-tuning")

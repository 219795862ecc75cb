"""Write the report of a run: at its end with predictions, during the training without."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtt.checkpoint.temporary import replace_text
from mtt.data import Dataset, merge
from mtt.data.statistics import Statistics, statistics
from mtt.interface import ModelInterface
from mtt.report.collect import Limits, sample
from mtt.report.compose import compose
from mtt.report.examples import examples_of
from mtt.report.kept import KEPT
from mtt.report.probes.run import run_probes
from mtt.report.summarize import summarize
from mtt.workflows.plan import Plan
from mtt.workflows.reporting.history import HISTORY, rows_of
from mtt.workflows.reporting.read_run import names_of, read_run
from mtt.workflows.run.folder import RunFolder

log = logging.getLogger(__name__)

REPORT = "report.html"
"""File of the run folder."""

SHARE = 0.05  # of the time of the training that its report may take
LONGEST = 20.0  # seconds
_PREDICTING = 0.5  # of that time
_MOST_COUNTED = 200_000  # structures whose statistics are computed


def write_at_end(plan: Plan, folder: RunFolder, model: ModelInterface) -> None:
    """Predict a sample of the data, keep what was found, and write the report.

    A file that cannot be written is a warning: the training is done.

    :param model: the best weights.
    """
    begin = time.perf_counter()
    allowed = min(SHARE * _seconds(folder.path), LONGEST)
    parts = plan.data.parts()
    limits = Limits(seconds=_PREDICTING * allowed)
    found = sample(model, parts, limits, plan.device)
    examples = examples_of(parts)
    left = allowed - (time.perf_counter() - begin)
    kept = summarize(
        found,
        {name: sum(map(len, sets)) for name, sets in parts.items()},
        {name: _names(sets) for name, sets in parts.items()},
        limits,
        {
            **_facts(plan, model, parts),
            "examples": examples,
            "probes": run_probes(model, examples, left, plan.device),
        },
    )
    if write_kept(folder.path / KEPT, kept):
        write_report(folder.path, plan.folders, finished=True)
    log.debug("the report took %.2f s", time.perf_counter() - begin)


def write_kept(path: Path, kept: Any) -> bool:
    """Write what is kept; False, and a warning, where it cannot be written."""
    try:
        kept.save(path)
    except OSError as error:
        log.warning("no report: %s cannot be written: %s", path, error.strerror)
        return False
    return True


def write_report(
    run: Path,
    architectures: Sequence[str | Path] = (),
    *,
    finished: bool = False,
    quiet: bool = False,
) -> None:
    """Write ``report.html`` of the run from what its folder holds.

    A warning says where it cannot be written.

    :param finished: whether this process is about to end the run, which it still holds.
    :param quiet: whether success is not worth a line.
    """
    path = run / REPORT
    read = read_run(run, names_of([run])[0], architectures)
    if finished:
        ended = {"state": "finished", "finished": True, "resume_with": None}
        read = replace(read, facts={**read.facts, **ended})
    try:
        replace_text(path, compose([read]))
    except OSError as error:
        log.warning("no report: %s cannot be written: %s", path, error.strerror)
        return
    log.log(logging.DEBUG if quiet else logging.INFO, "wrote %s", path)


def _seconds(run: Path) -> float:
    """Of all epochs of the run."""
    rows, _ = rows_of(run, {})
    if not rows:
        log.debug("%s has no %s; the report is written within a second", run, HISTORY)
        return 1.0 / SHARE
    return sum(row.get("seconds") or 0.0 for row in rows)


def _names(sets: Sequence[Dataset]) -> list[str]:
    """Names of data sets; numbers where there are none."""
    return [one.name or f"data set {i}" for i, one in enumerate(sets, start=1)]


def _facts(
    plan: Plan, model: ModelInterface, parts: Mapping[str, Sequence[Dataset]]
) -> dict[str, Any]:
    """What is known of model and data now and cannot be read of the folder later."""
    facts: dict[str, Any] = {
        "length_unit": plan.data.info.length_unit,
        "parameters": _parameters(model),
    }
    if sum(len(one) for sets in parts.values() for one in sets) <= _MOST_COUNTED:
        facts["statistics"] = {
            name: _plain(statistics(merge(sets))) for name, sets in parts.items()
        }
    return facts


def _parameters(model: ModelInterface) -> dict[str, int]:
    """Number of parameters of each part of the model, the largest first."""
    found: dict[str, int] = {}
    for name, weights in model.named_parameters():
        part = name.partition(".")[0]
        found[part] = found.get(part, 0) + weights.numel()
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def _plain(found: Statistics) -> dict[str, Any]:
    """As JSON has it; numbers that are not finite are None."""
    keys = ("mean", "std", "min", "max")
    return {
        "structures": found.n_structures,
        "atoms_per_structure": [float(one) for one in found.atoms_per_structure],
        "elements": dict(found.elements),
        "rows": [
            {
                "name": row.name,
                "unit": row.unit,
                "labelled": row.labelled,
                **{key: _finite(getattr(row, key)) for key in keys},
            }
            for row in found.rows
        ],
    }


def _finite(value: float) -> float | None:
    return value if value - value == 0 else None

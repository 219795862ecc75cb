"""Write the report of a run: at its end with predictions, during the training without."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mtt.checkpoint.temporary import replace_text
from mtt.data import Dataset, merge
from mtt.data.statistics import Statistics, statistics
from mtt.interface import ModelInterface
from mtt.report.collect import Collector, Limits, Sample, sample
from mtt.report.compose import compose
from mtt.report.distances import distances
from mtt.report.examples import examples_of
from mtt.report.kept import KEPT, Kept
from mtt.report.probes.run import run_probes
from mtt.report.summarize import summarize
from mtt.stopping import stop_if_asked
from mtt.workflows.plan import Plan
from mtt.workflows.reporting.history import rows_of
from mtt.workflows.reporting.read_run import names_of, read_run
from mtt.workflows.reporting.scanned import scanned
from mtt.workflows.run.folder import RunFolder

log = logging.getLogger(__name__)

REPORT = "report.html"
"""File of the run folder."""

MOST_COUNTED = 200_000
"""Structures whose statistics are computed."""

SHARE = 0.05  # of the time of the training that its report may take
SHORTEST, LONGEST = 5.0, 20.0  # seconds that it may take after a short and after a long training
_PREDICTING = 0.5  # of that time, where nothing else predicts the data
_COMPARING = 0.6  # of the time that is left after predicting, for distances
_SCANNING = 0.3  # likewise
_WHOLE = 1000  # structures of a part that is always kept completely
_PER_STRUCTURE = 5e-4  # seconds to keep one


def collector_of(plan: Plan, folder: RunFolder) -> Collector:
    """Keeps predictions of the final evaluation for the report.

    Of a short training, fewer structures that were trained on.
    """
    parts, most = plan.data.parts(), Limits().structures
    affordable = int(_PREDICTING * _allowed(folder.path) / _PER_STRUCTURE)
    n = {name: min(most, max(affordable, 1 if name == "training" else _WHOLE)) for name in parts}
    return Collector(parts, Limits(), n)


def write_at_end(
    plan: Plan,
    folder: RunFolder,
    model: ModelInterface,
    found: Sample | None = None,
    epoch: int | None = None,
) -> None:
    """Keep what was predicted, compare and probe, and write the report.

    A file that cannot be written is a warning: the training is done.

    :param model: the best weights.
    :param found: what an evaluation of them predicted; None: a sample of the data is predicted.
    :param epoch: of the best weights.
    :raises Stopped: a signal came.
    """
    begin = time.perf_counter()
    allowed, parts = _allowed(folder.path), plan.data.parts()
    limits = Limits(seconds=_PREDICTING * allowed)
    if found is None:
        found = sample(model, parts, limits, plan.device)
    else:
        begin -= found.seconds  # which were spent before
    kept = summarize(
        found,
        {name: sum(map(len, sets)) for name, sets in parts.items()},
        {name: _names(sets) for name, sets in parts.items()},
        limits,
        {**_facts(plan, model, parts), "epoch": epoch},
    )
    kept = _with_findings(kept, plan, model, found, begin + allowed)
    stop_if_asked()
    if write_kept(folder.path / KEPT, kept):
        write_report(folder.path, plan.folders, finished=True)
    log.debug("the report took %.2f s", time.perf_counter() - begin)
    stop_if_asked()


def _with_findings(
    kept: Kept, plan: Plan, model: ModelInterface, found: Sample, until: float
) -> Kept:
    """``kept``, with all that takes time: the scan, distances, probes."""
    parts, baseline = plan.data.parts(), plan.options.architecture["training"]
    left = until - time.perf_counter()
    scan = scanned(parts, model, baseline.get("atomic_baseline"), _SCANNING * left)
    stop_if_asked()
    seconds = _COMPARING * (until - time.perf_counter())
    training = parts.get("training", [])
    facts, values = distances(model, found, training, seconds, plan.device)
    examples = examples_of(parts)
    probes = run_probes(model, examples, until - time.perf_counter(), plan.device)
    more = {"scan": scan, "distances": facts, "examples": examples, "probes": probes}
    arrays = {**kept.arrays, "distance": values.astype(np.float32)}
    return Kept({**kept.facts, **more}, arrays)


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


def _allowed(run: Path) -> float:
    """Seconds that all of the report may take."""
    return min(max(SHARE * _seconds(run), SHORTEST), LONGEST)


def _seconds(run: Path) -> float:
    """Of all epochs of the run; 0 where they are not recorded, as after a fit without epochs."""
    rows, _ = rows_of(run, {})
    return sum(row.get("seconds") or 0.0 for row in rows)


def _names(sets: Sequence[Dataset]) -> list[str]:
    """Names of data sets, else of their files; numbers where these do not tell them apart."""
    names = [one.name or _file(one) for one in sets]
    alike = len({*names}) < len(names)
    return [f"data set {i}" if alike or not name else name for i, name in enumerate(names, start=1)]


def _file(dataset: Dataset) -> str:
    """The file of all structures; empty if there are several, none, or too many to look."""
    if len(dataset) > MOST_COUNTED:
        return ""
    found = {dataset.source(i).rpartition(", frame ")[0] for i in range(len(dataset))}
    return found.pop() if len(found) == 1 else ""


def _facts(
    plan: Plan, model: ModelInterface, parts: Mapping[str, Sequence[Dataset]]
) -> dict[str, Any]:
    """What is known of model and data now and cannot be read of the folder later."""
    facts: dict[str, Any] = {
        "length_unit": plan.data.info.length_unit,
        "parameters": _parameters(model),
    }
    if sum(len(one) for sets in parts.values() for one in sets) <= MOST_COUNTED:
        facts["statistics"] = {
            name: plain_statistics(statistics(merge(sets))) for name, sets in parts.items()
        }
    return facts


def _parameters(model: ModelInterface) -> dict[str, int]:
    """Number of parameters of each part of the model, the largest first."""
    found: dict[str, int] = {}
    for name, weights in model.named_parameters():
        part = name.partition(".")[0]
        found[part] = found.get(part, 0) + weights.numel()
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def plain_statistics(found: Statistics) -> dict[str, Any]:
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

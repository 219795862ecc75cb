"""What is known of a run from its folder: for ``mtt show`` of it, and of a folder of runs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtt.checkpoint import Newest, describe, metric_of, newest_valid, peek
from mtt.checkpoint.format import progress
from mtt.data import DatasetInfo
from mtt.errors import CheckpointError, ConfigError
from mtt.evaluation import Report
from mtt.evaluation.metrics import units
from mtt.options import read_yaml
from mtt.workflows.restart.how_to_resume import resuming
from mtt.workflows.restart.runs import is_run, runs_below
from mtt.workflows.run.folder import OUTPUTS, RunFolder
from mtt.workflows.run.record import recorded

EVALUATION = "evaluation.json"
"""File of the run folder: errors of the best weights on all parts of the data."""

FORGETTING = "forgetting.json"
"""File of the run folder: errors on held structures of a replay, before and after the training."""

_OF_CHECKPOINT = ("architecture", "epoch", "step", "best_epoch", "metric", "best_metric")
_VALIDATION = "validation "


def of_run(path: Path) -> dict[str, Any]:
    """Everything that ``mtt show`` says of the folder of a run, as JSON has it."""
    return with_content(path)[0]


def with_content(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same, and the content of the newest checkpoint; empty where there is none."""
    newest = newest_valid(RunFolder(path).checkpoints)
    content = peek(newest.path) if newest.path is not None else {}
    return _of_run(path, newest, content), content


def _of_run(path: Path, newest: Newest, content: dict[str, Any]) -> dict[str, Any]:
    folder = RunFolder(path)
    facts = describe(newest.path) if newest.path is not None else {}
    command = recorded(path)
    state = _state(folder, content)
    return {
        "file": str(path),
        "kind": "folder of a run",
        "problem": _problem(newest.path, len(newest.damaged)),
        "begun": _begun(path),
        "options_file": command.name if command is not None else None,
        "state": state,
        "finished": state == "finished",
        "newest_checkpoint": str(newest.path) if newest.path is not None else None,
        "damaged_checkpoints": [str(problem) for problem in newest.damaged],
        "num_epochs": _num_epochs(folder, content),
        **{key: facts.get(key) for key in _OF_CHECKPOINT},
        "refit": {k: one for k, one in _refit(content).items() if k != "validation"} or None,
        "atomic_types": facts.get("atomic_types"),
        "targets": facts.get("targets"),
        "errors": {**_validation(content), "evaluation": _stored(path, EVALUATION)},
        **_forgetting(path),
        "resume_with": None if state in ("running", "finished") else _resume_with(path),
    }


def of_runs(folder: Path) -> dict[str, Any] | None:
    """The runs below ``folder``, one entry each, the oldest first; None where there is none."""
    found = [of_run_in_short(path, folder) for path in runs_below(folder)]
    if not found:
        return None
    return {"file": str(folder), "kind": "folder of runs", "problem": None, "runs": found}


def of_run_in_short(path: Path, folder: Path) -> dict[str, Any]:
    """One entry of such a list.

    :param folder: what ``run``, the place of the run, is relative to.
    """
    run = RunFolder(path)
    newest = newest_valid(run.checkpoints)
    content = peek(newest.path) if newest.path is not None else {}
    command = recorded(path)
    return {
        "run": str(path.relative_to(folder)),
        "begun": _begun(path),
        "options_file": command.name if command is not None else None,
        "architecture": content.get("architecture_name") or _options(run).get("name"),
        "state": _state(run, content),
        "epoch": content.get("epoch"),
        "num_epochs": _num_epochs(run, content),
        "best_epoch": content.get("best_epoch"),
        "metric": metric_of(content),
        "best_metric": content.get("best_metric"),
        "problem": _problem(newest.path, len(newest.damaged)),
    }


def evaluated(reports: Mapping[str, Report], epoch: int) -> dict[str, Any]:
    """What :data:`EVALUATION` holds: errors by part, named with their units.

    :param epoch: of the weights.
    """
    parts = {
        part: {
            _named(f"{row.quantity} {kind}", row.unit): _finite(value)
            for row in report.rows
            for kind, value in (("RMSE", row.rmse), ("MAE", row.mae))
        }
        for part, report in reports.items()
    }
    return {"epoch": epoch, **parts}


def _state(folder: RunFolder, content: Mapping[str, Any]) -> str:
    if folder.is_in_use():
        return "running"
    if not content:
        return "no checkpoint"
    try:
        end = progress(peek(folder.checkpoint)) if folder.checkpoint.is_file() else (-1.0, -1.0)
    except CheckpointError:
        end = (-1.0, -1.0)
    if end < progress(content):
        return "stopped"
    return "finished" if folder.model.is_file() else "trained, not exported"


def _problem(newest: Path | None, n_damaged: int) -> str | None:
    if newest is not None:
        return None
    return "none of its checkpoints can be read" if n_damaged else "it has no checkpoint yet"


def _begun(path: Path) -> str | None:
    """Day and time, from the names of the folders."""
    run = path.resolve()
    day, time = run.parent.name, run.name.partition(".")[0].replace("-", ":")
    return f"{day} {time}" if is_run(path) and day[:4].isdecimal() else None


def _options(folder: RunFolder) -> dict[str, Any]:
    """The section ``architecture`` of its options; empty where they are lost."""
    try:
        options = read_yaml(folder.options)
    except ConfigError:
        return {}
    section = options.get("architecture") if isinstance(options, dict) else None
    return section if isinstance(section, dict) else {}


def _num_epochs(folder: RunFolder, content: Mapping[str, Any]) -> int | None:
    """Epochs of all stages together."""
    training = content.get("train_hypers") or _options(folder).get("training")
    if not isinstance(training, Mapping):
        return None
    stages = training.get("stages")
    if isinstance(stages, list) and stages:
        found = [one.get("num_epochs") for one in stages if isinstance(one, Mapping)]
    else:
        found = [training.get("num_epochs")]
    whole = [one for one in found if isinstance(one, int)]
    return sum(whole) if whole and len(whole) == len(found) else None


def _validation(content: Mapping[str, Any]) -> dict[str, Any]:
    """Errors on the validation set in the best epoch, and in the last one."""
    state, info = content.get("trainer_state"), content.get("dataset_info")
    text = state.get("history") if isinstance(state, Mapping) else None
    rows = json.loads(text) if isinstance(text, str) else []
    if not rows or not isinstance(info, Mapping):
        return {"best_validation": None, "last_validation": None}
    shown = units(DatasetInfo.from_dict(info), extended=True)
    best = [row for row in rows if row.get("epoch") == content.get("best_epoch")]
    # the best weights have other baselines since that epoch
    refitted = _refit(content).get("validation")
    newer = refitted if isinstance(refitted, Mapping) else {}
    return {
        "best_validation": dict(_row({**best[-1], **newer}, shown)) if best else None,
        "last_validation": dict(_row(rows[-1], shown)),
    }


def _refit(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the fit of the baselines after the last epoch did; empty without one."""
    origin = content.get("provenance")
    found = origin.get("refit") if isinstance(origin, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _row(row: Mapping[str, Any], shown: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    yield "epoch", int(row["epoch"])
    for column, value in row.items():
        name = column.removeprefix(_VALIDATION)
        if name == column:
            continue
        # of several validation sets each has its name before that of the error
        known = [unit for error, unit in shown.items() if f" {name}".endswith(f" {error}")]
        yield _named(name, known[0] if known else ""), _finite(value)


def _forgetting(run: Path) -> dict[str, Any]:
    """Errors on held structures of a replay, before and after; nothing without one."""
    found = _stored(run, FORGETTING)
    return {} if found is None else {"forgetting": found}


def _stored(run: Path, name: str) -> dict[str, Any] | None:
    """A file of plain values in the folder of a run; None where it is missing or damaged."""
    try:
        found = json.loads((run / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _resume_with(run: Path) -> str | None:
    """The command, for the folder in which it has to run."""
    command, folder = recorded(run), run.resolve()
    if command is None:
        return None
    if folder.parent.parent.name != OUTPUTS.name:
        return resuming(run, command) or None
    words = resuming(run, command, folder.parent.parent)
    home = folder.parents[2]
    return f"cd {home} && {words}" if words and home != Path.cwd().resolve() else words or None


def _named(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def _finite(value: float) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None

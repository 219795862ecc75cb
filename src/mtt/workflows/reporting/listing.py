"""``mtt runs``: the runs below a folder, from small files alone, so that thousands are fast.

No checkpoint is opened: state and progress are read from the names and times of files, from the
end of the history, and from the errors of the final evaluation.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtt.data import DatasetInfo
from mtt.errors import ConfigError
from mtt.evaluation.metrics import units
from mtt.options import read_yaml
from mtt.report.differences import differing, flattened
from mtt.workflows.reporting.meaning import spelled_alike
from mtt.workflows.restart.runs import is_run, runs_below
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.run.record import recorded
from mtt.workflows.run_facts import EVALUATION

NEWEST = 50
"""Runs that are listed unless more are asked for."""

_END = 2**17  # bytes of a history that are read
_SLACK = 2.0  # seconds between two files that were written one after the other
_PARTS = ("test", "validation")
_TARGET = re.compile(r"training_set\.(?:\d+\.)?targets\.([^.]+)\.")  # a flat key


def list_runs(folder: str | Path = ".", most: int | None = NEWEST) -> dict[str, Any]:
    """The newest runs in and below ``folder``, the oldest of them first, as JSON has them.

    The folder of a run is a list of this run.

    :param most: how many; None: all.
    :raises ConfigError: there is no such folder, or no run in it.
    """
    root = Path(folder)
    if not root.is_dir():
        what = "is a file" if root.exists() else "there is no such folder"
        raise ConfigError(what, where=str(root), hint="name a folder with runs, such as outputs")
    found = [root] if is_run(root) else list(dict.fromkeys(runs_below(root)))
    if not found:
        hint = "runs are in outputs/DAY/TIME of the folder in which `mtt train` ran"
        raise ConfigError("there is no run in it", where=str(root), hint=hint)
    shown = found if most is None else found[-most:]
    options = _options_of(shown)
    listed = [_described(run, root, one) for run, one in zip(shown, options, strict=True)]
    differ = _that_differ(options)
    for i, one in enumerate(listed):
        one["options"] = {key: row[i] for key, row in differ.items()}
    return {"folder": str(root), "found": len(found), "runs": listed}


def _described(run: Path, root: Path, options: Mapping[str, Any] | None) -> dict[str, Any]:
    folder = RunFolder(run)
    rows = _last_rows(run / "history.jsonl")
    errors, part = _errors(run, rows)
    command = recorded(run)
    architecture = (options or {}).get("architecture.name")
    return {
        "run": str(root if run == root else run.relative_to(root)),
        "options_file": command.name if command is not None else None,
        "architecture": architecture,
        "targets": _targets(options or {}),
        "state": _state(folder),
        "epoch": int(rows[-1]["epoch"]) if rows else None,
        "num_epochs": (options or {}).get("architecture.training.num_epochs"),
        "seconds": _seconds(rows),
        "part": part,
        "errors": errors,
    }


def _targets(options: Mapping[str, Any]) -> list[str]:
    """Names of the targets, in their order."""
    found = (_TARGET.match(key) for key in options)
    return list(dict.fromkeys(one[1] for one in found if one))


def _state(folder: RunFolder) -> str:
    """As :mod:`mtt.workflows.run_facts` has it, by the times of the files."""
    if folder.is_in_use():
        return "running"
    checkpoints = [_time(path) for path in folder.checkpoints.glob("*.ckpt")]
    end = _time(folder.checkpoint)
    if not checkpoints and not end:
        return "no checkpoint"
    if end + _SLACK < max(checkpoints, default=0.0):
        return "stopped"
    return "finished" if folder.model.is_file() else "trained, not exported"


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _last_rows(path: Path) -> list[dict[str, Any]]:
    """Rows at the end of a history, damaged ones left out."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _END))
            lines = file.read().splitlines()
    except OSError:
        return []
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and isinstance(row.get("epoch"), int | float):
            rows.append(row)
    return rows


def _seconds(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Time of all epochs; of a history longer than what is read, from the mean of its end."""
    known = [row["seconds"] for row in rows if isinstance(row.get("seconds"), int | float)]
    if not known:
        return None
    return float(sum(known) / len(known) * rows[-1]["epoch"])


def _errors(
    run: Path, rows: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, float | None], str | None]:
    """Final errors of the test or validation set, else of the best of the last epochs."""
    try:
        found = json.loads((run / EVALUATION).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    for part in _PARTS:
        one = found.get(part) if isinstance(found, dict) else None
        if isinstance(one, dict):
            return {name: value for name, value in one.items() if " RMSE" in name}, part
    losses = [row for row in rows if _is_finite(row.get("validation loss"))]
    if not losses:
        return {}, None
    best = min(losses, key=lambda row: float(row["validation loss"]))
    return dict(_named(best, _units(run))), "validation"


def _named(row: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[tuple[str, float | None]]:
    for column, value in row.items():
        name = column.removeprefix("validation ")
        if name != column and name in known and name.endswith(" RMSE"):
            unit = known[name]
            yield f"{name} ({unit})" if unit else name, value if _is_finite(value) else None


def _units(run: Path) -> Mapping[str, str]:
    try:
        values = json.loads((run / "dataset_info.json").read_text(encoding="utf-8"))
        return units(DatasetInfo.from_dict(values))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _options_of(runs: Sequence[Path]) -> list[dict[str, Any] | None]:
    """Options of each run, flat; equal files are read once. None where they cannot be read."""
    known: dict[bytes, dict[str, Any] | None] = {}
    found: list[dict[str, Any] | None] = []
    for run in runs:
        path = RunFolder(run).options
        try:
            content = path.read_bytes()
        except OSError:
            found.append(None)
            continue
        if content not in known:
            known[content] = _flat(path)
        found.append(known[content])
    return found


def _flat(path: Path) -> dict[str, Any] | None:
    try:
        values = read_yaml(path)
    except ConfigError:
        return None
    return dict(flattened(values)) if isinstance(values, dict) else None


def _that_differ(options: Sequence[Mapping[str, Any] | None]) -> dict[str, list[str]]:
    known = [one or {} for one in spelled_alike(options)]
    return differing(known) if any(known) else {}


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)

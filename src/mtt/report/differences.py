"""What distinguishes runs: options, errors, and which run is best by each of these."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mtt.report.run_data import RunData

MISSING = "–"
_RECORDING = (
    *("report", "print_stats", "final_eval", "loggers"),
    *("tensorboard", "wandb", "remote"),
)
"""Options that change no number of a model."""
_NOT_LOWER = ("cosine",)


def flattened(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """``architecture.model.cutoff`` to its value, for all plain values of nested options.

    A list of plain values is one value; others are numbered.
    """
    if isinstance(values, Mapping) and values:
        for key, value in values.items():
            yield from flattened(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(values, list) and any(isinstance(one, Mapping | list) for one in values):
        for i, value in enumerate(values):
            yield from flattened(value, f"{prefix}.{i}" if len(values) > 1 else prefix)
    else:
        yield prefix, values


def in_words(value: Any) -> str:
    """An option as YAML has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(in_words, value))}]"
    return "{}" if value == {} else str(value)


def changed(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Options that are not the defaults: key to the value and the default, in words.

    Keys that have no default (data, targets) are left out.
    """
    default = dict(flattened(defaults))
    found = {}
    for key, value in flattened(options):
        if key in default and value != default[key]:
            found[key] = (in_words(value), in_words(default[key]))
    return found


def options_that_differ(runs: Sequence[RunData]) -> dict[str, list[str]]:
    """Key to the value of each run, in words; a dash where a run does not have it."""
    return differing([dict(flattened(run.options or {})) for run in runs])


def differing(options: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The same of options that are flat already; how runs are recorded makes no difference."""
    keys = dict.fromkeys(
        key for one in options for key in one if key.partition(".")[0] not in _RECORDING
    )
    rows = {key: [in_words(one[key]) if key in one else MISSING for one in options] for key in keys}
    return {key: row for key, row in rows.items() if len(set(row)) > 1}


def errors_of(runs: Sequence[RunData]) -> dict[str, dict[str, list[float | None]]]:
    """Part to name of an error (with its unit) to its value in each run.

    An error whose unit differs is another row: numbers of different units are not compared.
    """
    found: dict[str, dict[str, list[float | None]]] = {}
    for i, run in enumerate(runs):
        for part, errors in run.final_errors.items():
            for name, value in errors.items():
                row = found.setdefault(part, {}).setdefault(name, [None] * len(runs))
                row[i] = float(value)
    return found


def winner(name: str, row: Sequence[float | None]) -> int | None:
    """Which run has the lowest error (the highest cosine); None where fewer than two have one,
    or all are equal.

    :param name: of the error.
    """
    sign = -1.0 if any(word in name for word in _NOT_LOWER) else 1.0
    known = [
        (sign * value, i)
        for i, value in enumerate(row)
        if value is not None and math.isfinite(value)
    ]
    if len(known) < 2 or len({value for value, _ in known}) == 1:
        return None
    return min(known)[1]


def wins(runs: Sequence[RunData]) -> list[int]:
    """How many errors of the part that decides each run is best in.

    The test set decides where all runs have one, else the validation set.
    """
    errors = errors_of(runs)
    count = [0] * len(runs)
    for name, row in errors.get(deciding_part(runs), {}).items():
        best = winner(name, row)
        if best is not None:
            count[best] += 1
    return count


def deciding_part(runs: Sequence[RunData]) -> str:
    """The part whose errors compare the runs."""
    return "test" if all("test" in run.final_errors for run in runs) else "validation"


def incomparable(runs: Sequence[RunData]) -> list[str]:
    """Why numbers of the runs should not be compared, in sentences."""
    notes = []
    data = {str(run.provenance.get("data")) for run in runs if run.provenance.get("data")}
    if len(data) > 1:
        notes.append(
            "The runs were trained or validated on different data: their errors are of other "
            "structures."
        )
    targets = [
        {name: (one.kind, one.unit) for name, one in run.info.targets.items()}
        for run in runs
        if run.info is not None
    ]
    for name in dict.fromkeys(name for one in targets for name in one):
        having = [one[name] for one in targets if name in one]
        if len(having) < len(targets):
            notes.append(f"Not all of the runs have the target {name}.")
        if len(set(having)) > 1:
            units = " and ".join(sorted({unit or "no unit" for _, unit in having}))
            notes.append(f"The target {name} has different units or kinds ({units}).")
    return notes

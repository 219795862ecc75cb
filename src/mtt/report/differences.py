"""What distinguishes runs: options, errors, and which run is best by each of these."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from mtt.discovery import LOGGERS
from mtt.options.training.reporting import ReportingOptions
from mtt.report.run_data import RunData
from mtt.report.several.same_sets import all_the_same, notes, set_numbers

MISSING = "–"
_RECORDING = ("report", "print_stats", "final_eval", "loggers", "remote")
_TRAINING = "architecture.training."
_REPORTED = tuple(one.name for one in fields(ReportingOptions) if one.name != "deterministic")
_NOT_LOWER = ("cosine",)
_SECTION = re.compile(r"\.(?:targets|extra_data|loss)(?:\.|$)")  # keys are names of the data


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


def in_short(words: str, most: int = 100) -> str:
    """An option that is not too long for a table; of a list the number of its values is given."""
    if len(words) <= most:
        return words
    if words.startswith("[") and words.endswith("]"):
        return f"{words.count(',') + 1} values: {words[: most // 2].rpartition(',')[0]}, …]"
    return f"{words[: most - 1]}…"


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
    """Key to the value of each run, in words; a dash where a run does not have it.

    Options are compared by what they mean, or as they are written if those of a run are not
    understood.
    """
    meant = [run.meaning for run in runs]
    written = [run.options for run in runs]
    return differing([dict(flattened(one or {})) for one in (written if None in meant else meant)])


def differing(options: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The same of options that are flat already; how runs are recorded makes no difference."""
    ignored = _recording()
    keys = dict.fromkeys(
        key
        for one in options
        for key in one
        if not {key.partition(".")[0], key.removeprefix(_TRAINING)} & ignored
    )
    rows = {key: [in_words(one[key]) if key in one else MISSING for one in options] for key in keys}
    return {key: row for key, row in rows.items() if len(set(row)) > 1}


def divided(
    options: Mapping[str, Sequence[str]], architectures: Sequence[str | None]
) -> tuple[dict[str, Sequence[str]], dict[str, Sequence[str]]]:
    """Options that runs have different values of; and those that only some runs have, because
    their architecture, targets or additional data are others.

    Files of labels that are those of the structures are left out.

    :param options: that differ: key to the value of each run.
    :param architectures: of each run.
    """
    several = len(set(architectures)) > 1
    differ: dict[str, Sequence[str]] = {}
    partly: dict[str, Sequence[str]] = {}
    for key, row in options.items():
        start, _, name = key.rpartition(".")
        files = options.get(f"{_SECTION.split(start)[0]}.systems.read_from", ())
        if name == "read_from" and _SECTION.search(key) and _are(row, files):
            continue
        known = set(row) - {MISSING}
        of_some = (several and key.startswith("architecture.")) or _SECTION.search(key)
        target = partly if len(known) < 2 and MISSING in row and of_some else differ
        target[key] = row
    return differ, partly


def _are(row: Sequence[str], others: Sequence[str]) -> bool:
    """Whether all values that a row has are those of another row."""
    return len(row) == len(others) and all(
        one in (MISSING, other) for one, other in zip(row, others, strict=True)
    )


def _recording() -> set[str]:
    """Options that change no number of a model: what is written down, and how often."""
    loggers = [name for name, own in LOGGERS.facts("has_option", False).items() if own]
    return {*_RECORDING, *loggers, *_REPORTED}


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


def winners(runs: Sequence[RunData], part: str, name: str) -> list[int]:
    """The best run by one error, among each set of runs that are scored on the same structures
    and labels.

    :param name: of the error, with its unit.
    """
    row = errors_of(runs).get(part, {}).get(name, [])
    numbers = set_numbers(runs, part, name)
    found = []
    for number in dict.fromkeys(one for one in numbers if one is not None):
        same = [value if numbers[i] == number else None for i, value in enumerate(row)]
        best = winner(name, same)
        if best is not None:
            found.append(best)
    return found


def wins(runs: Sequence[RunData]) -> list[int]:
    """How many errors of the part that decides each run is best in; see :func:`winners`.

    Energies count once: those of whole structures say what those per atom say.
    """
    count = [0] * len(runs)
    part = deciding_part(runs)
    for name in errors_of(runs).get(part, {}):
        for best in () if " total " in name else winners(runs, part, name):
            count[best] += 1
    return count


def deciding_part(runs: Sequence[RunData]) -> str:
    """The part whose errors compare the runs.

    The test set where all runs are scored on the same one, else the validation set where that is
    the same, else the one that most of them share.
    """
    parts = ("test", "validation")
    numbers = {part: set_numbers(runs, part) for part in parts}
    for part in parts:
        if all_the_same(numbers[part]):
            return part
    return max(parts, key=lambda part: _largest(numbers[part]))


def _largest(numbers: Sequence[int | None]) -> int:
    """Runs with the set that most have."""
    known = [one for one in numbers if one is not None]
    return max(map(known.count, known), default=0)


def incomparable(runs: Sequence[RunData]) -> list[str]:
    """Which numbers of the runs are not compared, and why, in sentences."""
    found = list(notes(runs))
    targets = [
        {name: (one.kind, one.unit) for name, one in run.info.targets.items()}
        for run in runs
        if run.info is not None
    ]
    names = list(dict.fromkeys(name for one in targets for name in one))
    for name in names:
        having = [one[name] for one in targets if name in one]
        if len(set(having)) > 1:
            units = " and ".join(sorted({unit or "no unit" for _, unit in having}))
            found.append(
                f"The target {name} has different units or kinds ({units}): its errors are in "
                "separate rows and are not compared."
            )
    lacking = [name for name in names if any(name not in one for one in targets)]
    if lacking:
        what = "target" if len(lacking) == 1 else "targets"
        found.append(f"Not all of the runs have the {what} {', '.join(lacking)}.")
    return found

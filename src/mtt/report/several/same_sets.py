"""Which runs are scored on the same structures and labels: only their errors can be compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mtt.evaluation.quantities import is_extended, quantities
from mtt.report.run_data import RunData

PARTS = ("test", "validation", "training")
STRUCTURES = "structures"

_UNIT = re.compile(r" \([^()]*\)$")
_COLUMNS = {"forces": "forces:", "stress": "strain:", "virial": "strain:"}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def set_numbers(runs: Sequence[RunData], part: str, error: str = "") -> list[int | None]:
    """The number of the set that each run is scored on; equal numbers are equal sets.

    None where it is not known, and where the run has no errors on this part.

    :param part: ``"test"``, ``"validation"`` or ``"training"``.
    :param error: its name, with or without the unit: then the labels that it is counted on have
        to be equal too.
    """
    found = _identities(runs, part, error)
    having = [
        one if part in run.final_errors else None for run, one in zip(runs, found, strict=True)
    ]
    known = list(dict.fromkeys(one for one in having if one is not None))
    return [None if one is None else known.index(one) for one in having]


def letter(number: int) -> str:
    """The name of a set: A, B …"""
    return _LETTERS[number] if number < len(_LETTERS) else str(number + 1)


def all_the_same(numbers: Sequence[int | None]) -> bool:
    """Whether all runs are known to have one set."""
    return None not in numbers and len(set(numbers)) <= 1


def share_set(runs: Sequence[RunData], part: str) -> bool:
    """Whether all runs are known to have the same structures in a part, scored or not."""
    found = _identities(runs, part, "")
    return None not in found and len(set(found)) == 1


def size_of(run: RunData, part: str) -> int | None:
    """Structures of a part; None where the run did not write it down."""
    known = _set(run, part).get("n")
    if isinstance(known, int):
        return known
    totals = run.kept.facts.get("totals") if run.kept is not None else None
    size = totals.get(part) if isinstance(totals, Mapping) else None
    return int(size) if isinstance(size, int) else None


def notes(runs: Sequence[RunData]) -> Iterator[str]:
    """What is not compared, and why, in sentences."""
    for part in PARTS:
        numbers = set_numbers(runs, part)
        having = [i for i, run in enumerate(runs) if part in run.final_errors]
        if len(having) < 2:
            continue
        if not all_the_same([numbers[i] for i in having]):
            yield from _different(runs, part, having, numbers)
        else:
            yield from _other_labels(runs, part, having)


def _different(
    runs: Sequence[RunData], part: str, having: Sequence[int], numbers: Sequence[int | None]
) -> Iterator[str]:
    groups: dict[int, list[int]] = {}
    for i in having:
        if (number := numbers[i]) is not None:
            groups.setdefault(number, []).append(i)
    words = []
    for number, members in groups.items():
        size = _structures(runs[members[0]], part)
        words.append(f"{_joined([runs[i].name for i in members])} ({letter(number)}{size})")
    if len(groups) > 1:
        shared = any(len(members) > 1 for members in groups.values())
        rest = "only among runs with the same one" if shared else "with each other"
        negated = "are compared" if shared else "are not compared"
        yield f"The {part} sets differ: {'; '.join(words)}. Errors on them {negated} {rest}."
    unknown = [runs[i].name for i in having if numbers[i] is None]
    if unknown:
        yield (
            f"The {part} set of {_joined(unknown)} is not recorded: the errors are shown, and "
            "not compared."
        )


def _other_labels(runs: Sequence[RunData], part: str, having: Sequence[int]) -> Iterator[str]:
    """Errors that are counted on other labels of the same structures."""
    found = []
    for quantity in dict.fromkeys(q for i in having for q in _quantities(runs[i], part)):
        own = [i for i in having if quantity in _quantities(runs[i], part)]
        if len(own) < 2:
            continue
        numbers = set_numbers(runs, part, f"{quantity} RMSE")
        if not all_the_same([numbers[i] for i in own]):
            found.append(quantity)
    if found:
        yield (
            f"The {part} structures are the same, but the labels of {_joined(found)} differ: these "
            "errors are compared only among runs with the same labels."
        )


def _quantities(run: RunData, part: str) -> list[str]:
    """What a run has errors of, without components and elements."""
    names = [_UNIT.sub("", name) for name in run.final_errors[part]]
    return [name.removesuffix(" RMSE") for name in names if not is_extended(name)]


def _identities(runs: Sequence[RunData], part: str, error: str) -> list[str | None]:
    """One text for each run, equal for equal sets.

    Runs of an older mtt have one digest of training and validation data together. The test set is
    then the same if it also is named the same, and drawn with the same seed.
    """
    if part == "training":
        return _digests_of_all(runs)
    known = [run for run in runs if _set(run, part) or _digest_of_all(run)]
    if known and all(_set(run, part).get("digests") for run in known):
        return [_digest(run, part, error) for run in runs]
    return [_older(run, part) for run in runs]


def _digest(run: RunData, part: str, error: str) -> str | None:
    digests = _set(run, part).get("digests")
    if not isinstance(digests, Mapping):
        return None
    if not error:
        return str(digests.get(STRUCTURES))
    column = _column(run, _UNIT.sub("", error))
    if column in digests:
        return f"{digests.get(STRUCTURES)} {digests[column]}"
    return " ".join(f"{name}={digests[name]}" for name in sorted(digests))


def _column(run: RunData, error: str) -> str:
    """The labels that an error is counted on; empty where it is not known."""
    if run.info is None:
        return ""
    for one in quantities(run.info, totals=True, extended=True):
        if error in one.all_names:
            return f"{_COLUMNS.get(one.part, 'values:')}{one.target}"
    return ""


def _older(run: RunData, part: str) -> str | None:
    whole = _digest_of_all(run)
    if whole is None or part != "test":
        return whole
    options = run.options or {}
    return f"{whole} {options.get('test_set')} {run.provenance.get('seed')}"


def _digests_of_all(runs: Sequence[RunData]) -> list[str | None]:
    """Of training and validation data; without ``extra_data`` where all runs recorded that."""
    known = [run for run in runs if _digest_of_all(run)]
    if all(run.provenance.get("labelled_data") for run in known):
        return [run.provenance.get("labelled_data") for run in runs]
    return [_digest_of_all(run) for run in runs]


def _digest_of_all(run: RunData) -> str | None:
    found = run.provenance.get("data")
    return str(found) if found else None


def _set(run: RunData, part: str) -> Mapping[str, Any]:
    sets = run.provenance.get("sets")
    found = sets.get(part) if isinstance(sets, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _structures(run: RunData, part: str) -> str:
    n = size_of(run, part)
    return "" if n is None else f", {n:,} structures"


def _joined(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)

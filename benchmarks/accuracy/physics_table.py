"""The table of properties: a line for every quantity of every model, beside the reference."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import results
from results import Result
from table import cell

DIGITS = {
    "Å": 4, "GPa": 1, "THz": 2, "meV": 1, "1/cm": 0, "meV/atom": 4, "g/cm³": 3,
}  # fmt: skip
HEAD = "| data | quantity | model | minutes | reference | model's | difference |"
NOTES = (
    "Numbers of the model and of the potential that made its data, both from the same scripts "
    "through ASE. The lines of all phonons and all vibrations are root mean squares: of the "
    "reference's frequencies, and of the differences, in ascending order at each point."
)


def quantities(result: Result) -> dict[str, tuple[float | None, float | None, float | None]]:
    """Reference, model's number, difference, by the quantity; None: could not be computed."""
    mine, other = result.extra.get("physics", {}), result.extra.get("reference", {})
    found: dict[str, tuple[float | None, float | None, float | None]] = {}
    for name in {**other.get("values", {}), **mine.get("values", {})}:
        reference, value = other["values"].get(name), mine["values"].get(name)
        known = None not in (reference, value)
        found[name] = (reference, value, value - reference if known else None)
    for name, frequencies in other.get("lists", {}).items():
        reference, values = np.array(frequencies), mine["lists"].get(name)
        rest = None if values is None else float(np.sqrt(np.mean((values - reference) ** 2)))
        found[f"all {name}"] = (float(np.sqrt(np.mean(reference**2))), None, rest)
    return found


def digits(name: str) -> int:
    """After the point, by the unit at the end of a quantity's name."""
    return DIGITS[name.rpartition(", ")[2]]


def notes(found: Sequence[Result]) -> str:
    """What is written above the table of the runs."""
    worked = [one for one in results.current(list(found)) if one.failed is None]
    worked.sort(key=lambda one: (one.data, one.minutes or 0.0, one.model_name, one.processor))
    lines = [HEAD, "|---" * 7 + "|"]
    for _, data in itertools.groupby(worked, key=lambda one: one.data):
        here = list(data)
        kinds = [list(same) for _, same in itertools.groupby(here, key=results.kind)]
        names = dict.fromkeys(name for one in here for name in quantities(one))
        lines += [row(name, same) for name in names for same in kinds]
    parts = [NOTES, "\n".join(lines)]
    failures = [line for one in worked for line in failed(one)]
    if failures:
        parts += ["Could not be computed:", "\n".join(failures)]
    return "\n\n".join(parts)


def failed(result: Result) -> list[str]:
    """A line for everything that could not be computed, for the model or for the reference."""
    return [
        f"- {result.stem}: {which}: {name}: {reason.strip().splitlines()[-1]}"
        for which in ("physics", "reference")
        for name, reason in result.extra.get(which, {}).get("failed", {}).items()
    ]


def row(name: str, same: Sequence[Result]) -> str:
    """A quantity of the runs of one kind; seeds share the line."""
    numbers = [quantities(one).get(name, (None, None, None)) for one in same]
    cells = [cell([one[i] for one in numbers], digits(name)) for i in range(3)]
    first = same[0]
    return f"| {first.data} | {name} | {first.model_name} | {first.budget} | {' | '.join(cells)} |"

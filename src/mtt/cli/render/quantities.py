"""Names, counts and digits of the quantities in tables of labels and of errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtt.data.statistics import Row, Statistics

_DIGITS = 4  # significant, of a number alone
_OF_SPREAD = 3  # significant, of the standard deviation of numbers in one row
_MOST = 8  # decimals


def number(value: float) -> str:
    """Four significant digits, so that small numbers stay visible."""
    return f"{value:.{_DIGITS}g}"


def as_fine_as(value: float, spread: float) -> str:
    """``value`` with the decimals of three significant digits of ``spread``.

    The total energies of structures of one molecule differ in the sixth digit.
    """
    if not (math.isfinite(value) and spread > 0.0):
        return number(value)
    decimals = _OF_SPREAD - 1 - math.floor(math.log10(spread))
    if not 0 <= decimals <= _MOST:
        return number(value)
    return f"{round(value, decimals) + 0.0:.{decimals}f}"  # + 0.0: never -0.00


def names_of_labels(rows: Sequence[Row]) -> list[str]:
    """The names of the rows; an energy that is also given per atom is called the total one."""
    names = {row.name for row in rows}
    return [
        f"total {row.name}"
        if f"{row.name} (per atom)" in names
        else row.name.replace(" (per atom)", " per atom")
        for row in rows
    ]


def names_of_errors(quantities: Sequence[str]) -> list[str]:
    """The same names for the errors of energies per atom and of whole structures."""
    names, refitted = set(quantities), ", refitted"

    def shown(name: str) -> str:
        if name.endswith(" total"):
            return f"total {name.removesuffix(' total')}"
        if name.endswith(refitted):
            return f"{shown(name.removesuffix(refitted))}, baseline refitted"
        return f"{name} per atom" if f"{name} total" in names else name

    return [shown(name) for name in quantities]


def labelled(row: Row, whole: Statistics) -> str:
    """How many structures have the label, or how many atoms or pairs: ``450``, ``4,050 atoms``."""
    known = f"{row.labelled:,}" if not row.missing else f"{row.labelled:,} of {row.total:,}"
    if row.samples:
        return f"{known} {row.samples}"
    return f"{known} atoms" if row.total == whole.n_atoms != whole.n_structures else known

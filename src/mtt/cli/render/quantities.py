"""Names, counts and digits of the quantities in tables of labels and of errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtt.data.statistics import Row, Statistics

_DIGITS = 4  # significant, of a number alone
_LARGE = 1e7  # larger numbers have an exponent


def number(value: float) -> str:
    """Four significant digits, so that small numbers stay visible; whole numbers up to ten
    millions."""
    return f"{value:.0f}" if 10**_DIGITS <= abs(value) < _LARGE else f"{value:.{_DIGITS}g}"


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

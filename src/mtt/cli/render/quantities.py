"""Names, counts and digits of the quantities in tables of labels and of errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtt.data.statistics import Row, Statistics

_DIGITS = 4  # significant
_MOST = 12  # of float64, beyond which digits are noise


def number(value: float) -> str:
    """Four significant digits, so that small numbers stay visible."""
    return f"{value:.{_DIGITS}g}"


def as_fine_as(value: float, spread: float) -> str:
    """``value`` with the decimals of four significant digits of ``spread``, and with four at least.

    The total energies of structures of one molecule differ in the sixth digit.
    """
    if not (math.isfinite(value) and math.isfinite(spread)) or not value or not spread:
        return number(value)
    largest = math.floor(math.log10(abs(value)))
    digits = largest - math.floor(math.log10(abs(spread))) + _DIGITS
    return f"{value:.{min(max(digits, _DIGITS), _MOST)}g}"


def names_of_labels(rows: Sequence[Row]) -> list[str]:
    """The names of the rows; an energy that is also given per atom is marked as the total."""
    names = {row.name for row in rows}
    return [
        f"{row.name} (total)" if f"{row.name} (per atom)" in names else row.name for row in rows
    ]


def names_of_errors(quantities: Sequence[str]) -> list[str]:
    """The same names for the errors of energies per atom and of whole structures."""
    totals = {name for name in quantities if name.endswith(" total")}
    return [
        f"{name.removesuffix(' total')} (total)"
        if name in totals
        else f"{name} (per atom)"
        if f"{name} total" in totals
        else name
        for name in quantities
    ]


def labelled(row: Row, whole: Statistics) -> str:
    """How many structures, or atoms, have the label: ``450 structures``."""
    samples = {whole.n_structures: "structures", whole.n_atoms: "atoms"}.get(row.total, "")
    known = f"{row.labelled:,}" if not row.missing else f"{row.labelled:,} of {row.total:,}"
    return f"{known} {samples}".strip()

"""Which units would explain a factor between labels that should agree."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from metatomic.torch import unit_conversion_factor

ENERGIES = ("eV", "Hartree", "Ry", "kcal/mol", "kJ/mol", "meV")
LENGTHS = ("angstrom", "bohr", "nm")
_SYMBOLS = {"angstrom": "Å", "bohr": "a₀"}
PRESSURES = {"GPa": 160.21766, "kbar": 1602.1766, "bar": 1602176.6, "MPa": 160217.66}
"""Units of stress, of which one eV/Å³ has so many."""
_NEAR = 0.1  # of the logarithm: factors this close are the same


class Reading(NamedTuple):
    """The units in which labels would agree."""

    energy: str
    force: str
    length: str
    changes: int  # units that are other than the options say
    off: float  # between the factor and what these units give, as a logarithm


def readings(factor: float, energy_unit: str, length_unit: str) -> list[Reading]:
    """Units by which energies change ``factor`` times as much as forces say, simplest first.

    Energies are in ``energy``, positions in ``length`` and forces in ``force``, while the
    options say ``energy_unit`` and ``length_unit`` of all (eV and Å where they are empty).
    """
    said = (_known(energy_unit, ENERGIES), _known(length_unit, LENGTHS))
    found = []
    for e, l, fe, fl in product(ENERGIES, LENGTHS, ENERGIES, LENGTHS):
        expected = unit_conversion_factor(fe, e) * unit_conversion_factor(l, fl)
        if abs(np.log(factor / expected)) < _NEAR:
            changes = sum((e != said[0], l != said[1], (fe, fl) != said))
            off = abs(np.log(factor / expected))
            found.append(Reading(e, f"{fe}/{_SYMBOLS.get(fl, fl)}", l, changes, off))
    return sorted(found, key=lambda one: (one.changes, round(one.off, 2)))


def explain(factor: float, energy_unit: str, length_unit: str) -> str:
    """The simplest :func:`readings` in words, two at most; empty where there is none."""
    found = readings(factor, energy_unit, length_unit)
    simplest = [one for one in found if one.changes == found[0].changes and one.changes < 3]
    return " or ".join(
        f"energies in {one.energy}, forces in {one.force}"
        + (f", positions in {one.length}" if one.length != "angstrom" else "")
        for one in simplest[:2]
    )


def same(factor: float, expected: float, near: float = _NEAR) -> bool:
    """Whether two positive factors are the same within noise."""
    return bool(factor > 0 and abs(np.log(factor / expected)) < near)


def between(unit: str, other: str) -> float:
    """The value of one ``unit`` in ``other``; both are energies, or both are lengths."""
    return float(unit_conversion_factor(unit, other))


def _known(unit: str, units: tuple[str, ...]) -> str:
    """``unit`` as spelled in ``units``; the first one if it is empty."""
    if not unit:
        return units[0]
    matches = (one for one in units if same(float(unit_conversion_factor(unit, one)), 1.0))
    return next(matches, unit)

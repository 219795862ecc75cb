"""Names of units: which are known, what follows from them, how they are shown.

Training never converts: labels stay in the unit they are given in.
"""

from __future__ import annotations

from collections.abc import Mapping

from metatomic.torch import unit_conversion_factor

from mtt.data.findings import Findings
from mtt.errors import Problem, did_you_mean
from mtt.options.values import TargetOptions

LENGTHS = ("angstrom", "bohr", "nm", "m")
ENERGIES = ("eV", "meV", "Hartree", "Ry", "kcal/mol", "kJ/mol", "J")

_SYMBOLS = {"angstrom": "Å", "a": "Å", "bohr": "a₀", "nm": "nm"}
_SPELLINGS = str.maketrans(
    {"Å": "angstrom", "\u212b": "angstrom", "²": "^2", "³": "^3", "·": "*", "⋅": "*"}
)
_PER_CUBE = {"angstrom": "Å³", "a": "Å³", "bohr": "a₀³", "nm": "nm³"}


def check_units(length_unit: str, targets: Mapping[str, TargetOptions], findings: Findings) -> None:
    """Add units that metatomic does not know to ``findings``; an empty unit is allowed.

    Lengths and energies must be convertible to angstrom and eV: engines convert them. Units of
    other quantities are free text.
    """
    if not _converts(length_unit, "angstrom"):
        _unknown("systems.length_unit", length_unit, LENGTHS, findings)
    for name, target in targets.items():
        if target.quantity == "energy" and not _converts(target.unit, "eV"):
            _unknown(f"targets.{name}.unit", target.unit, ENERGIES, findings)


def declared(unit: str) -> str:
    """``unit`` as metatomic's outputs carry it, ``eV/angstrom^3`` for ``eV/Å³``.

    Empty where metatomic does not know the unit; it refuses such outputs.
    """
    spelled = unit.translate(_SPELLINGS)
    return spelled if _converts(spelled, spelled) else ""


def are_convertible(unit: str, other: str) -> bool:
    """Whether metatomic knows the factor between two units."""
    return _converts(unit, other)


def _converts(unit: str, other: str) -> bool:
    try:
        unit_conversion_factor(unit, other)
    except (RuntimeError, ValueError):
        return False
    return True


def _unknown(key: str, unit: str, known: tuple[str, ...], findings: Findings) -> None:
    hint = did_you_mean(unit, known) or f"known: {', '.join(known)}"
    findings.add_problems([Problem(f"unknown unit {unit!r}", key, hint)])


def force_unit(energy: str, length: str) -> str:
    """``eV/Å`` from ``eV`` and ``angstrom``; empty where one is not known."""
    symbol = _SYMBOLS.get(length.lower(), length)
    return f"{energy}/{symbol}" if energy and length else ""


def stress_unit(energy: str, length: str) -> str:
    """``eV/Å³`` from ``eV`` and ``angstrom``; empty where one is not known."""
    symbol = _PER_CUBE.get(length.lower(), f"{length}³")
    return f"{energy}/{symbol}" if energy and length else ""


def to_ev(energy: str) -> float:
    """Energies in ``energy`` times this are in eV; 1 where no unit is given."""
    return float(unit_conversion_factor(energy, "eV")) if energy else 1.0


def to_ev_per_angstrom(energy: str, length: str) -> float | None:
    """Forces in ``energy`` by ``length`` times this are in eV/Å; None where a unit is missing."""
    if not energy or not length or not _converts(energy, "eV") or not _converts(length, "angstrom"):
        return None
    return to_ev(energy) / float(unit_conversion_factor(length, "angstrom"))


def shown(unit: str) -> tuple[str, float]:
    """The unit that errors in ``unit`` are shown in, and the factor to it: meV for eV."""
    energy, slash, rest = unit.partition("/")
    return (f"meV{slash}{rest}", 1e3) if energy.lower() == "ev" else (unit, 1.0)

"""Conversion of units for baselines, whose constants are in eV and Å."""

from __future__ import annotations

from typing import Literal

from metatomic.torch import unit_conversion_factor

from mtt.errors import ArchitectureError

_SPELLINGS = {"\u00c5": "angstrom", "\u212b": "angstrom", "Ha": "hartree"}


def factor(unit: str, ours: Literal["angstrom", "eV"], who: str, hint: str) -> float:
    """How many of ``ours`` one ``unit`` is.

    :param who: the baseline that needs to know, for messages.
    :raises ArchitectureError: ``unit`` is empty, unknown, or of another quantity.
    """
    kind = "length_unit" if ours == "angstrom" else "unit of the energy"
    if not unit:
        raise ArchitectureError(f"{who} needs the {kind}, and none is given", hint=hint)
    try:
        return float(unit_conversion_factor(_SPELLINGS.get(unit, unit), ours))
    except (ValueError, RuntimeError) as error:
        raise ArchitectureError(
            f"{who} cannot convert the {kind} {unit!r} to {ours}: {error}", hint=hint
        ) from error

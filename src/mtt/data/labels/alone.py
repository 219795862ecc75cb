"""Energies that a file does not have: learnt from their forces or stress alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtt.data.files.raw_frame import RawFrame
from mtt.data.labels.keys import numbers_in
from mtt.options.values import TargetOptions

# names that programs and data sets give energies: energy, REF_energy, TOTEN, Etot, E, e0, U0, myE
_ENERGY = re.compile(
    r"(?i:energ|enthalp|toten|^[eu]_?\d*$|(^|_)e(_|$|pot$|tot$|total$|dft$|scf$|ref$))"
    r"|^E[A-Z_]|[a-z]E$|^E(tot|pot|total|dft|scf|ref)"
)
_NOT_TOTAL = re.compile(
    r"(?i:kinetic|fermi|gap|homo|lumo|cutoff|encut|smearing|weight|uncert|std|toler|diff|error)"
)


def looks_like_energy(name: str, value: Any) -> bool:
    """Whether a key of a structure may hold its energy: by its name, and one number there."""
    if not _ENERGY.search(name) or _NOT_TOTAL.search(name):
        return False
    try:
        return bool(numbers_in(value).size == 1)
    except (ValueError, TypeError):
        return False


def energy_keys(per_structure: Mapping[str, Any]) -> list[str]:
    """Keys of one structure that may hold its energy."""
    return [key for key, value in per_structure.items() if looks_like_energy(key, value)]


def may_be_without(name: str, options: TargetOptions, frames: Sequence[RawFrame]) -> bool:
    """Whether the values of ``name`` may be left out, so that derivatives are learnt alone.

    Where ``key: false`` says so; or where no frame has the key, which is the target's own name or
    its default, or anything that could have been meant instead.

    :param frames: of the file that has the values.
    """
    if not options.key:
        return True
    if options.quantity != "energy" or options.sample_kind != "system":
        return False
    if any(options.key in frame.per_structure for frame in frames):
        return True  # every value is NaN, else they would be used
    if options.key not in (name, "energy"):
        return False
    per_atom = any(options.key in frame.per_atom for frame in frames)
    return not per_atom and not any(energy_keys(frame.per_structure) for frame in frames)


def has_numbers(value: Any) -> bool:
    """Whether there is something else than NaN, a mistake too."""
    if value is None:
        return False
    try:
        return not bool(np.isnan(numbers_in(value)).all())
    except (ValueError, TypeError):
        return True


def remedy(options: TargetOptions, frames: Sequence[RawFrame]) -> str:
    """Hint for data without any energy, in addition to naming the key."""
    if options.quantity != "energy" or options.sample_kind != "system":
        return ""
    found = energy_keys(frames[0].per_structure)
    named = f", such as {' or '.join(map(repr, found[:3]))}" if found else ""
    return f"{named}; key: false learns from forces or stress alone"

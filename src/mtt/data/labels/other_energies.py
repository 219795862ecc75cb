"""A second energy beside the one that is read: a free energy, above all.

Programs that smear occupations (Fermi-Dirac, Methfessel-Paxton) print a free energy, whose
derivatives the forces are, and one extrapolated to no smearing. VASP's manual, "Energies and
forces": forces are derivatives of the free energy ("free energy TOTEN"), not of "energy(sigma->0)".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtt.data.files.raw_frame import RawFrame
from mtt.data.frames import Float
from mtt.data.labels.alone import looks_like_energy
from mtt.data.labels.keys import numbers_in
from mtt.data.labels.units import are_convertible, to_ev
from mtt.options.values import TargetOptions

DIFFERENT = 1e-4  # eV per atom: smaller differences, and constant ones, change no force


def other_energies(frames: Sequence[RawFrame], key: str) -> dict[str, Float]:
    """Per-structure keys that look like energies, but for ``key``: [n_frames], NaN if missing."""
    names: dict[str, None] = {}
    for frame in frames:
        for name, value in frame.per_structure.items():
            if name != key and name not in names and looks_like_energy(name, value):
                names[name] = None
    return {name: energies(frames, name) for name in names}


def energies(frames: Sequence[RawFrame], key: str) -> Float:
    """[n_frames] numbers under ``key``, NaN where there is none."""
    return np.array([_number(frame.per_structure, key) for frame in frames])


def other_energy_notices(
    name: str, options: TargetOptions, frames: Sequence[RawFrame]
) -> list[str]:
    """A notice where a file has a free energy and another one, and they differ."""
    read = energies(frames, options.key)
    sizes = np.array([max(len(frame.numbers), 1) for frame in frames])
    factor = to_ev(options.unit) if are_convertible(options.unit, "eV") else 1.0
    notices = []
    for key, values in other_energies(frames, options.key).items():
        if ("free" in key.lower()) == ("free" in options.key.lower()):
            continue
        apart = (values - read) / sizes
        apart = apart[np.isfinite(apart)]
        if not len(apart) or np.ptp(apart) * factor <= DIFFERENT:
            continue
        unit = f" {options.unit}" if options.unit else ""
        notices.append(
            f"{frames[0].file}: {name} is read from {options.key!r}; {key!r} is there too and "
            f"differs by up to {np.abs(apart).max():.3g}{unit} per atom. Forces are derivatives of "
            "one of them (in VASP, and wherever occupations are smeared, of the free energy): "
            "mtt check finds which"
        )
    return notices


def _number(values: Mapping[str, Any], key: str) -> float:
    if key not in values:
        return float("nan")
    try:
        array = numbers_in(values[key])
    except (ValueError, TypeError):
        return float("nan")
    return float(array.reshape(-1)[0]) if array.size == 1 else float("nan")

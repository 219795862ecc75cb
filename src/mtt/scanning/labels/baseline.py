"""Energies of atoms: those in the options against those in the data, and file against file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from mtt.scanning.tools.finding import Finding
from mtt.scanning.tools.residuals import energies_per_atom
from mtt.scanning.tools.structures import Float, Structures
from mtt.scanning.tools.unit_readings import ENERGIES, between, same

GIVEN = "atomic baseline"
FILES = "references of files"
_BINDING = 20.0  # eV per atom: more than atoms gain by binding
_NOTABLE = 0.5  # eV per atom between files, and
_FAR = 10.0  # times the spread inside of them


def check_baseline(structures: Structures, given: Mapping[str, Any]) -> Iterator[Finding]:
    """``atomic_baseline`` of the options against the energies.

    :param given: target to a number, or to a number of each atomic number.
    """
    for name in structures.energies:
        if name not in given:
            continue
        value = given[name]
        if isinstance(value, Mapping) and not set(structures.types) <= set(value):
            continue  # the energies of other elements are fitted
        one = [float(value[z] if isinstance(value, Mapping) else value) for z in structures.types]
        base = structures.counts @ np.array(one)
        energy = structures.energy(name)
        known = np.isfinite(energy)
        if not known.any() or not base.any():
            continue
        left = float(np.median(((energy - base) / structures.n_atoms)[known]))
        if abs(left) < _BINDING * structures.electronvolt(name):
            continue
        unit = structures.info.targets[name].unit
        what = (
            f"{left:.4g} {unit} per atom of {name} are left when atomic_baseline is taken off: "
            "more than atoms gain by binding"
        )
        ratio = float(np.median((energy / np.where(base == 0, np.nan, base))[known]))
        yield Finding(
            GIVEN,
            "wrong",
            what,
            structures.whole(known),
            left,
            f"{unit} per atom".strip(),
            _reason(ratio, unit),
        )


def _reason(ratio: float, unit: str) -> str:
    """Why energies are ``ratio`` times what the baselines add up to."""
    for other in ENERGIES:
        factor = between(other, unit or "eV")
        if not same(factor, 1.0) and same(ratio, factor):
            return f"the baselines fit if they are in {other}"
    if abs(ratio) < 0.1:
        return "are these energies of formation? Then leave atomic_baseline out, or give zeros"
    return "baselines must be of the same method and unit as the energies"


def check_files(structures: Structures) -> Iterator[Finding]:
    """Energies of one file that are shifted against those of another one."""
    for name, info in structures.energies.items():
        rest = energies_per_atom(structures, name)
        known = np.isfinite(rest) & (structures.n_atoms > 1)
        for one, other in combinations(np.unique(structures.file[known]), 2):
            shift = _shift(structures, structures.energy(name), (one, other))
            if abs(shift) > _NOTABLE * structures.electronvolt(name):
                files = structures.files
                both = known & np.isin(structures.file, (one, other))
                what = (
                    f"{name} of the same compositions is {shift:.4g} {info.unit} per atom higher "
                    f"in {files[other]} than in {files[one]}"
                )
                advice = "one method, one unit, one reference for all files"
                unit = f"{info.unit} per atom".strip()
                places = structures.whole(both)
                yield Finding(FILES, "wrong", what, places, shift, unit, advice)


def _shift(structures: Structures, energy: Float, files: tuple[int, int]) -> float:
    """Median over common compositions, per atom; 0 where it is within the spread."""
    shifts, spreads = [], []
    usable = np.isfinite(energy) & (structures.n_atoms > 1)
    mine = [usable & (structures.file == file) for file in files]
    common = np.intersect1d(*(structures.composition[which] for which in mine))
    for composition in common:
        here = [
            energy[which & (structures.composition == composition)]
            / structures.n_atoms[structures.composition == composition][0]
            for which in mine
        ]
        middles = [float(np.median(some)) for some in here]
        shifts.append(middles[1] - middles[0])
        spreads += [np.median(np.abs(some - m)) for some, m in zip(here, middles, strict=True)]
    if not shifts or abs(np.median(shifts)) < _FAR * max(spreads):
        return 0.0
    return float(np.median(shifts))

"""Which of several energies in a file the forces are derivatives of.

Along a step from one structure to a similar one, the work that forces and stresses do is the
change of one of the energies. With Δ of the energy that is read and of another one,

    work − Δ(read) = β (Δ(other) − Δ(read)) + noise,

β is 0 where forces belong to the energy that is read, and 1 where they belong to the other one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mtt.data.files.raw_frame import RawFrame
from mtt.data.labels.other_energies import DIFFERENT, other_energies
from mtt.options.values import DatasetOptions
from mtt.scanning.tools.finding import Finding
from mtt.scanning.tools.regression import FEWEST
from mtt.scanning.tools.steps import Steps
from mtt.scanning.tools.structures import Float, Mask, Structures

CHECK = "energy of the forces"
_LENGTHS = (0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4)  # Å: steps up to these are looked at
_STRAIN = 0.04  # largest component of the strain of steps that stresses account for
_NEAR = 0.25  # of β to 0 or 1
_SURE = 0.1  # standard error of β at most


class _Beta(NamedTuple):
    value: float
    error: float  # standard error
    n: int

    def is_near(self, value: float) -> bool:
        return self.error < _SURE and abs(self.value - value) < _NEAR


class OtherEnergies:
    """Energies of the files that are not read; filled file by file."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[str, dict[str, Float]]] = {}

    def add(self, path: str, frames: Sequence[RawFrame], sets: Sequence[DatasetOptions]) -> None:
        """Look at one file, for every energy with forces that ``sets`` read from it."""
        for one in sets:
            for name, item in one.targets.items():
                here = item.read_from == one.systems.read_from == path
                if here and item.quantity == "energy" and item.forces and item.key:
                    found = other_energies(frames, item.key)
                    self._found[name, path] = item.key, found

    @property
    def keys(self) -> set[str]:
        """All keys that are looked at."""
        return {key for _, others in self._found.values() for key in others}

    def check(self, structures: Structures, along: Mapping[str, Steps]) -> Iterator[Finding]:
        """One finding for each energy that differs from the one that is read."""
        for (name, path), (key, others) in self._found.items():
            if name not in along or path not in structures.files:
                continue
            mine = structures.file == structures.files.index(path)
            for other, values in others.items():
                yield from _compare(structures, name, along[name], mine, (key, other), values)


def _compare(
    structures: Structures,
    name: str,
    along: Steps,
    mine: Mask,
    keys: tuple[str, str],
    values: Float,
) -> Iterator[Finding]:
    """``values`` [frames of the file] under the second of ``keys``, against the energy read."""
    second = np.full(len(structures), np.nan)
    known = mine & (structures.frame < len(values))
    second[known] = values[structures.frame[known]]
    apart = (second - structures.energy(name)) / structures.n_atoms
    apart = apart[np.isfinite(apart)]
    unit = structures.info.targets[name].unit
    size = float(np.abs(apart).max()) if len(apart) else 0.0
    if not len(apart) or np.ptp(apart) <= DIFFERENT * structures.electronvolt(name):
        return
    where = structures.whole(mine)
    read, other = keys
    is_free = "free" in read.lower() or "free" in other.lower()
    beta = _beta(structures, along, second)
    said = f"over {beta.n} pairs of similar structures; they differ by up to {size:.3g} {unit}"
    said = f"{said.rstrip()} per atom"
    if beta.is_near(1.0):
        what = f"forces are derivatives of {other!r}, and {name} is read from {read!r}: {said}"
        advice = f"write key: {other} for {name}"
        yield Finding(CHECK, "wrong", what, where, beta.value, "", advice)
    elif is_free and beta.is_near(0.0):
        what = f"forces are derivatives of {read!r}, which is read, not of {other!r}: {said}"
        yield Finding(CHECK, "fine", what, where, beta.value)
    elif is_free:
        what = (
            f"whether forces are derivatives of {read!r} or of {other!r} cannot be decided {said}"
        )
        advice = "programs that smear occupations (VASP) give forces of the free energy"
        yield Finding(CHECK, "note", what, where, None, "", advice)


def _beta(structures: Structures, along: Steps, second: Float) -> _Beta:
    """β over the steps that determine it best."""
    rigid = along.strained < 1e-6
    usable = rigid | ((along.strained < _STRAIN) & np.isfinite(along.by_stress))
    other = second[along.second] - second[along.first]
    usable &= np.isfinite(along.by_forces) & (along.by_forces != 0) & np.isfinite(other)
    work = along.by_forces + np.where(rigid, 0.0, np.nan_to_num(along.by_stress))
    best = _Beta(0.0, np.inf, 0)
    for length in _LENGTHS:
        near = usable & (along.moved < length * structures.angstrom)
        one = _fit((work - along.change)[near], (other - along.change)[near])
        best = one if one.error < best.error else best
    return best


def _fit(rest: Float, apart: Float) -> _Beta:
    square = float(apart @ apart)
    n = len(rest)
    if n < FEWEST or square == 0.0:
        return _Beta(0.0, np.inf, n)
    value = float(apart @ rest) / square
    left = rest - value * apart
    return _Beta(value, float(np.sqrt((left @ left) / (n - 1) / square)), n)

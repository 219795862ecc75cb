"""Statistics of a data set, reported before training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from ase.data import chemical_symbols
from torch import Tensor

from mtt.data.info import DatasetInfo, TargetInfo
from mtt.data.labels.units import force_unit, stress_unit
from mtt.graph import Target
from mtt.stopping import stop_if_asked

_DIGITS = 4  # significant, of a number alone
_OF_SPREAD = 3  # significant, of the standard deviation of numbers in one row
_MOST = 8  # decimals


class Labelled(Protocol):
    """Interface that statistics need of a data set."""

    @property
    def info(self) -> DatasetInfo: ...
    @property
    def n_atoms(self) -> Tensor: ...
    @property
    def types(self) -> Tensor: ...
    @property
    def volumes(self) -> Tensor: ...
    def target(self, name: str) -> Target: ...


@dataclass(frozen=True)
class Row:
    """Statistics of one kind of label over all its numbers; NaN where there is none.

    :param name: ``"energy"``, ``"energy (per atom)"``, ``"energy forces"``, ``"energy[2]"``.
    :param unit: of all numbers below; ``""`` where unknown.
    :param labelled: samples (structures, or atoms) that have a label, of ``total``.
    :param std: population standard deviation.
    :param rms: root of the mean square.
    :param samples: what they are, where they are neither structures nor atoms: ``"pairs"``.
    """

    name: str
    unit: str
    labelled: int
    total: int
    mean: float
    std: float
    min: float
    max: float
    rms: float
    samples: str = ""

    @property
    def missing(self) -> int:
        return self.total - self.labelled


@dataclass(frozen=True)
class Statistics:
    """Structures, elements and labels of one data set.

    :param atoms_per_structure: least, mean, most.
    :param elements: chemical symbol to number of atoms, by atomic number.
    """

    n_structures: int
    n_atoms: int
    atoms_per_structure: tuple[int, float, int]
    elements: Mapping[str, int]
    rows: tuple[Row, ...]


def statistics(dataset: Labelled) -> Statistics:
    """Statistics of ``dataset``, which holds at least one structure, in float64."""
    n_atoms = dataset.n_atoms
    counts = torch.bincount(dataset.types)
    elements = {chemical_symbols[z]: int(n) for z, n in enumerate(counts.tolist()) if n}
    rows: list[Row] = []
    for name, info in dataset.info.targets.items():
        stop_if_asked()
        rows += _rows(dataset, name, info)
    return Statistics(
        n_structures=len(n_atoms),
        n_atoms=int(n_atoms.sum()),
        atoms_per_structure=(
            int(n_atoms.min()),
            float(n_atoms.double().mean()),
            int(n_atoms.max()),
        ),
        elements=elements,
        rows=tuple(rows),
    )


def _rows(dataset: Labelled, name: str, info: TargetInfo) -> list[Row]:
    target, length = dataset.target(name), dataset.info.length_unit
    values = target.values
    rows = [
        _row(
            name if info.properties == 1 else f"{name}[{p}]",
            info.unit,
            values[..., p : p + 1],
            "pairs" if info.per_pair else "",
            partly=bool(info.of_kind.elements),
        )
        for p in range(info.properties)
    ]
    if info.is_energy and info.properties == 1:
        per_atom = values / dataset.n_atoms[:, None]
        rows.append(_row(f"{name} (per atom)", info.unit, per_atom))
    if not info.is_energy:
        return rows + _rows_of_derivatives(name, info, target, length)
    if target.forces is not None:
        rows.append(_row(f"{name} forces", force_unit(info.unit, length), target.forces))
    if target.strain is not None and info.strain_name == "virial":
        rows.append(_row(f"{name} virial", info.unit, -target.strain))
    elif target.strain is not None:
        stress = target.strain / dataset.volumes[:, None, None]
        rows.append(_row(f"{name} stress", stress_unit(info.unit, length), stress))
    return rows


def _rows_of_derivatives(name: str, info: TargetInfo, target: Target, length: str) -> list[Row]:
    """Derivatives of a target that is not an energy, all numbers together."""
    rows = []
    if target.forces is not None:
        sign = -1.0 if info.is_number else 1.0
        unit = force_unit(info.unit, length)
        rows.append(_row(f"{name} gradient", unit, sign * target.forces))
    if target.strain is not None:
        rows.append(_row(f"{name} strain", info.unit, target.strain))
    return rows


def _row(name: str, unit: str, labels: Tensor, samples: str = "", *, partly: bool = False) -> Row:
    """Over all components of ``labels`` (samples first) that are not NaN.

    :param partly: a sample has some of the components, by its elements.
    """
    labels = labels.double().flatten(1)
    known = ~labels.isnan()
    numbers = labels[known]
    nothing = numbers.new_full((1,), torch.nan)
    some = numbers if len(numbers) else nothing
    return Row(
        name=name,
        unit=unit,
        labelled=int((known.any(dim=1) if partly else known.all(dim=1)).sum()),
        total=len(labels),
        mean=float(some.mean()),
        std=float(some.std(correction=0)),
        min=float(some.min()),
        max=float(some.max()),
        rms=float(some.square().mean().sqrt()),
        samples=samples,
    )


def as_fine_as(value: float, spread: float) -> str:
    """``value`` with the decimals of three significant digits of ``spread``.

    The total energies of structures of one molecule differ in the sixth digit.
    """
    if not (math.isfinite(value) and spread > 0.0):
        return f"{value:.{_DIGITS}g}"
    decimals = _OF_SPREAD - 1 - math.floor(math.log10(spread))
    if not 0 <= decimals <= _MOST:
        return f"{value:.{_DIGITS}g}"
    return f"{round(value, decimals) + 0.0:.{decimals}f}"  # + 0.0: never -0.00

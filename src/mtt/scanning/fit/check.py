"""All that a fit to energies and forces reveals of the labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mtt.scanning.fit.energies import check_forces, check_offsets, check_outliers, check_slopes
from mtt.scanning.fit.fitted import Fitted, FitTo
from mtt.scanning.fit.stress import check_stress
from mtt.scanning.tools.finding import Finding
from mtt.scanning.tools.groups import Partition
from mtt.scanning.tools.structures import Structures

CHECK = "fit"


def check_fit(
    structures: Structures, partitions: Sequence[Partition], fit: FitTo
) -> Iterator[Finding]:
    """Every energy is fitted by itself, and its labels are held against the predictions."""
    for name, info in structures.energies.items():
        fitted = fit(structures.dataset, name)
        yield _summary(structures, name, fitted)
        if info.has_forces:
            yield from check_forces(structures, name, fitted, partitions)
            yield from check_offsets(structures, name, fitted, partitions)
            by_forces = fit(structures.dataset, name, forces_alone=True)
            yield from check_slopes(structures, name, by_forces, partitions)
        yield from check_outliers(structures, name, fitted, partitions)
        if info.has_strain:
            yield from check_stress(structures, name, fitted, partitions)


def _summary(structures: Structures, name: str, fitted: Fitted) -> Finding:
    rest = (structures.energy(name) - fitted.energy) / structures.n_atoms
    known = np.isfinite(rest)
    left = float(np.sqrt((rest[known] ** 2).mean())) if known.any() else float("nan")
    what = (
        f"{fitted.name} was fitted to {name} in {fitted.seconds:.1f} s; it leaves "
        f"{left:.3g} {structures.info.targets[name].unit} per atom"
    )
    return Finding(CHECK, "fine", what, structures.whole(known), left)

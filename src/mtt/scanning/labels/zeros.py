"""Labels that are zero: many programs write zero for a missing value."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mtt.scanning.tools.finding import Finding, Severity
from mtt.scanning.tools.forces import Forces
from mtt.scanning.tools.structures import Mask, Structures

CHECK = "zero labels"
_WRITE_NAN = "where there is no label, write nan or leave the structures out"
_SHARE = 0.1  # of frames with some atoms without force, above which it is reported


def check_zeros(structures: Structures, forces: dict[str, Forces]) -> Iterator[Finding]:
    """Energies, forces and stresses that are exactly zero."""
    for name, info in structures.energies.items():
        energy = structures.energy(name)
        yield from _tell(structures, f"{name} is", energy == 0.0, ~np.isnan(energy))
        if info.has_forces:
            yield from _zero_forces(structures, name, forces[name])
        if info.has_strain:
            strain = structures.strain(name)
            known = ~np.isnan(strain[:, 0, 0])
            zero = known & (strain == 0.0).all(axis=(1, 2))
            yield from _tell(structures, f"the {info.strain_name} of {name} is", zero, known)


def _zero_forces(structures: Structures, name: str, forces: Forces) -> Iterator[Finding]:
    known = (forces.n_labelled > 0) & (structures.n_atoms > 1)
    zero = known & (forces.largest == 0.0)
    what = f"all forces of {name} are"
    yield from _tell(structures, what, zero & ~structures.solid, known & ~structures.solid)
    # symmetry makes the forces in a crystal exactly zero, in a molecule hardly ever
    crystals: tuple[Severity, Severity] = ("suspicious", "note")
    yield from _tell(structures, what, zero & structures.solid, known & structures.solid, crystals)
    partial = known & ~zero & (forces.n_zero > 0)
    if partial.sum() > _SHARE * max(known.sum(), 1):
        atoms = int(forces.n_zero[partial].sum())
        yield Finding(
            CHECK,
            "suspicious",
            f"the forces of {name} are exactly zero for some atoms of {int(partial.sum())} "
            "structures",
            structures.places(partial),
            atoms,
            "atoms",
            "if these atoms were held fixed, write the forces without constraints, or nan",
        )


def _tell(
    structures: Structures,
    label: str,
    zero: Mask,
    known: Mask,
    severities: tuple[Severity, Severity] = ("wrong", "suspicious"),
) -> Iterator[Finding]:
    """One finding for files in which all labels are zero, one for single frames elsewhere.

    :param severities: of the one and of the other.
    """
    whole = np.zeros(len(zero), dtype=bool)
    for file in np.unique(structures.file[zero]):
        mine = known & (structures.file == file)
        if mine.sum() > 1 and zero[mine].all():
            whole |= mine
    if whole.any():
        what, places = f"{label} zero in every frame", structures.whole(whole)
        number = int(whole.sum())
        yield Finding(CHECK, severities[0], what, places, number, "frames", _WRITE_NAN)
    single = zero & ~whole
    if single.any():
        what, places = f"{label} exactly zero in some structures", structures.places(single)
        advice = _WRITE_NAN
        if severities[1] == "note":
            advice = f"as symmetry demands? If not, {_WRITE_NAN}"
        yield Finding(CHECK, severities[1], what, places, int(single.sum()), "frames", advice)

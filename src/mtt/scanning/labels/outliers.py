"""Single structures whose labels or volumes are far from those of all others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mtt.data.labels.units import force_unit
from mtt.scanning.tools.finding import Finding, Severity
from mtt.scanning.tools.forces import Forces
from mtt.scanning.tools.groups import Partition
from mtt.scanning.tools.residuals import energies_per_atom, robust_score
from mtt.scanning.tools.structures import Float, Index, Mask, Structures

CHECK = "outliers"
_FAR = 15.0  # robust standard deviations
_FEWEST = 20  # structures that make others outliers
_HUGE = 50.0  # eV/Å: a force that no bond has near its equilibrium
_SHARE = 0.02  # of all structures: more are another kind of structure, not outliers
_PER_ATOM = 0.1  # eV per atom that an energy is off by at least


def check_outliers(
    structures: Structures, forces: dict[str, Forces], partitions: Sequence[Partition] = ()
) -> Iterator[Finding]:
    """Energies per atom, largest forces, and volumes per atom.

    :param partitions: the first one, if of words, divides structures into groups; energies and
        forces are compared inside of these as well.
    """
    group = partitions[0].of if partitions and partitions[0].is_text else None
    several = structures.n_atoms > 1
    for name, info in structures.energies.items():
        rest = energies_per_atom(structures, name)
        least = _PER_ATOM * structures.electronvolt(name)
        middle = _middle(rest, several, None)
        far = _far(rest, several) & (np.abs(rest - middle) > least)
        if group is not None:
            inside = _middle(rest, several, group)
            among = _far_in_group(rest, several, group) & (np.abs(rest - inside) > least) & ~far
            middle, far = np.where(among, inside, middle), far | among
        what = f"{name} per atom is far from that of the others, elements taken off"
        advice = "did these calculations converge? Look at them, or leave them out"
        unit = f"{info.unit} per atom".strip()
        yield from _tell(structures, what, far, rest - middle, unit, "suspicious", advice)
    for name, found in forces.items():
        unit = force_unit(structures.info.targets[name].unit, structures.info.length_unit)
        huge = _HUGE * structures.electronvolt(name) / structures.angstrom
        positive = np.where(found.largest > 0, found.largest, np.nan)
        above = positive > np.nanmedian(positive) if np.isfinite(positive).any() else several
        far = (_far(np.log(positive), several) & above) | (positive > huge)
        if group is not None:
            above = positive > _middle(positive, several, group)
            far |= _far_in_group(np.log(positive), several, group) & above
        what = f"the largest force of {name} is far above those of the others"
        what = f"forces of {name} are huge" if far.mean() > _SHARE else what
        advice = "a broken calculation, or atoms too close to one another? Look at them"
        yield from _tell(structures, what, far, found.largest, unit, "suspicious", advice)
    solid = structures.solid & several
    if solid.any():
        volume = np.where(solid, structures.volumes / structures.n_atoms, np.nan)
        far = _far(np.log(np.where(volume > 0, volume, np.nan)), solid)
        unit = f"{structures.info.length_unit or 'unit of length'}³ per atom"
        what = "the volume per atom is far from that of the others"
        advice = "empty space in the cell is all right; a mistaken cell is not"
        yield from _tell(structures, what, far, volume, unit, "note", advice)


def _far(values: Float, used: Mask) -> Mask:
    """Rare values far from the others."""
    known = used & np.isfinite(values)
    if known.sum() < _FEWEST:
        return np.zeros(len(values), dtype=bool)
    far: Mask = known & (robust_score(values, known) > _FAR)
    return far if far.sum() <= max(_SHARE * known.sum(), 2) else np.zeros_like(far)


def _far_in_group(values: Float, used: Mask, group: Index) -> Mask:
    found = np.zeros(len(values), dtype=bool)
    for one in np.unique(group):
        found |= _far(values, used & (group == one))
    return found


def _middle(values: Float, used: Mask, group: Index | None) -> Float:
    """[n] median of the group of each; 0 where a group has no value."""
    group = np.zeros(len(values), dtype=np.int64) if group is None else group
    found = np.zeros(len(values))
    for one in np.unique(group):
        known = used & (group == one) & np.isfinite(values)
        found[group == one] = np.median(values[known]) if known.any() else 0.0
    return found


def _tell(
    structures: Structures,
    what: str,
    far: Mask,
    number: Float,
    unit: str,
    severity: Severity,
    advice: str,
) -> Iterator[Finding]:
    if far.any():
        most = float(number[far][np.abs(number[far]).argmax()])
        places = structures.places(far)
        yield Finding(CHECK, severity, what, places, most, unit, advice)

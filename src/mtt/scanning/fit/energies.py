"""Energies and forces against a model fitted to both, by group; single structures far off it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mtt.data.labels.units import force_unit
from mtt.scanning.fit.fitted import Fitted, Group, groups_of, slope_of
from mtt.scanning.tools.finding import Finding, Severity
from mtt.scanning.tools.groups import Partition
from mtt.scanning.tools.residuals import robust_score
from mtt.scanning.tools.structures import Float, Mask, Structures
from mtt.scanning.tools.unit_readings import explain

FORCES, ENERGIES, OUTLIERS = "forces against a fit", "energies against a fit", "outliers of a fit"
_FEWEST = 5  # structures of a group that can be judged
_GOOD = 1.3  # slopes within this factor of 1 are right
_SURE = 0.8  # R² of a line, at least
_OFFSET = 6.0  # times the residuals of all others, from which on a group has another offset,
_LEAST = 0.01  # if it is at least so many eV per atom
_FAR = 20.0  # robust standard deviations of a structure that does not fit
_POOR = 9.0  # times the squares that a fit leaves over elsewhere
_SHARE = 0.05  # of a group: more of them are another kind of structure


def check_offsets(
    structures: Structures, name: str, fitted: Fitted, partitions: Sequence[Partition]
) -> Iterator[Finding]:
    """Groups whose energies have another zero than those of the others."""
    energy = structures.energy(name)
    known = np.isfinite(energy) & (structures.n_atoms > 1)
    rest = (energy - fitted.energy) / structures.n_atoms
    if known.sum() < _FEWEST:
        return
    rest = rest - np.median(rest[known])
    groups = list(groups_of(structures, known, partitions))
    typical = _typical(rest, groups)
    least = _LEAST * structures.electronvolt(name)
    for group in groups:
        mine = group.structures
        offset = float(np.median(rest[mine]))
        if mine.sum() < _FEWEST or not group.said or abs(offset) <= max(_OFFSET * typical, least):
            continue
        what = f"{group.said}: {name} has another zero than elsewhere, by a fit to all structures"
        advice = "another functional, other settings, or another reference of the elements?"
        unit = f"{structures.info.targets[name].unit} per atom".strip()
        yield Finding(ENERGIES, "suspicious", what, structures.places(mine), offset, unit, advice)


def check_slopes(
    structures: Structures, name: str, fitted: Fitted, partitions: Sequence[Partition]
) -> Iterator[Finding]:
    """Groups whose energies change otherwise than a fit to forces alone says.

    :param fitted: to forces alone.
    """
    energy = structures.energy(name)
    known = np.isfinite(energy) & (structures.n_atoms > 1)
    for group in groups_of(structures, known, partitions):
        found = _slope(structures, name, fitted, group, energy)
        if found is not None:
            yield found


def _slope(
    structures: Structures, name: str, fitted: Fitted, group: Group, energy: Float
) -> Finding | None:
    mine = group.structures
    label, predicted = (_variation(structures, mine, one) for one in (energy, fitted.energy))
    slope, r2 = slope_of(predicted, label)
    if mine.sum() < 2 * _FEWEST or r2 < _SURE or 1 / _GOOD < slope < _GOOD:
        return None
    said = f"{group.said}: " if group.said else ""
    what = (
        f"{said}{name} changes {slope:.3g} times as much as a fit to forces says, over "
        f"{int(mine.sum())} structures, R² = {r2:.2f}"
    )
    info = structures.info
    is_unit = not 1 / _GOOD < abs(slope) < _GOOD
    units = explain(abs(slope), info.targets[name].unit, info.length_unit) if is_unit else ""
    remedies = ["reverse the sign of the forces, or of the energies"] * (slope < 0)
    if is_unit:
        remedies.append(f"it would fit {units}" if units else "no common units explain it")
    sure = slope < 0 or units or not 1 / 3 < abs(slope) < 3
    severity: Severity = "wrong" if sure else "suspicious"
    places = structures.places(mine) if said else structures.whole(mine)
    return Finding(ENERGIES, severity, what, places, slope, "", "; ".join(remedies))


def _variation(structures: Structures, mine: Mask, energy: Float) -> Float:
    """[m] energies per atom without what follows from the composition."""
    sizes = structures.n_atoms[mine]
    shares = structures.counts[mine] / sizes[:, None]
    per_atom = energy[mine] / sizes
    return np.asarray(per_atom - shares @ np.linalg.lstsq(shares, per_atom, rcond=None)[0])


def check_forces(
    structures: Structures, name: str, fitted: Fitted, partitions: Sequence[Partition]
) -> Iterator[Finding]:
    """Sign and size of forces by group."""
    squares, product, left = _sums(structures, name, fitted)
    known = squares[:, 0] > 0
    typical = float(np.median(left[known] / structures.n_atoms[known])) if known.any() else 0.0
    for group in groups_of(structures, known, partitions):
        mine = group.structures
        labels, predicted = squares[mine].sum(axis=0)
        if mine.sum() < _FEWEST or not predicted > 0:
            continue
        correlation = float(product[mine].sum()) / float(np.sqrt(labels * predicted))
        slope = np.sign(correlation) * float(np.sqrt(labels / predicted))
        if correlation**2 >= _SURE and 1 / _GOOD < slope < _GOOD:
            continue
        said = f"{group.said}: " if group.said else ""
        places = structures.places(mine) if said else structures.whole(mine)
        over = f"over {int(mine.sum())} structures, R² = {correlation**2:.2f}"
        if left[mine].sum() < _POOR * typical * structures.n_atoms[mine].sum():
            continue  # small forces, which the fit describes as well as all others
        if correlation**2 < _SURE / 2 or 1 / _GOOD < slope < _GOOD:
            share = float(np.sqrt(left[mine].sum() / labels))
            what = f"{said}forces of {name} are not those of a fit to all structures, {over}"
            advice = "do they belong to other structures, or are these unlike all others?"
            yield Finding(FORCES, "suspicious", what, places, share, "of their size left", advice)
            continue
        what = f"{said}forces of {name} are {slope:.3g} times those of a fit to all, {over}"
        advice = "reverse their sign" if slope < 0 else "another unit than that of the others?"
        yield Finding(
            FORCES, "wrong" if slope < 0 else "suspicious", what, places, slope, "", advice
        )


def check_outliers(
    structures: Structures, name: str, fitted: Fitted, partitions: Sequence[Partition]
) -> Iterator[Finding]:
    """Structures that the model cannot describe, while it describes the others of their group."""
    energy = structures.energy(name)
    rest = (energy - fitted.energy) / structures.n_atoms
    several = structures.n_atoms > 1
    squares, _, left = _sums(structures, name, fitted)
    by_forces = np.sqrt(np.where(squares[:, 0] > 0, left / structures.n_atoms, np.nan))
    info = structures.info
    force = force_unit(info.targets[name].unit, info.length_unit)
    unit = f"{info.targets[name].unit} per atom".strip()
    for values, what, of in (
        (rest, f"{name} per atom is far from that of the fit", unit),
        (np.log(by_forces), f"forces of {name} are far from those of the fit", force),
    ):
        known = several & np.isfinite(values)
        far = np.zeros(len(values), dtype=bool)
        for group in groups_of(structures, known, partitions):
            far |= _far(values, group.structures)
        if values is not rest:
            far &= values > np.median(values[known]) if known.any() else False
        if far.any():
            shown = rest if values is rest else by_forces
            most = float(shown[far][np.abs(shown[far]).argmax()])
            advice = "did these calculations converge? Look at them, or leave them out"
            places = structures.places(far)
            yield Finding(OUTLIERS, "suspicious", what, places, most, of, advice)


def _far(values: Float, mine: Mask) -> Mask:
    found = np.zeros(len(values), dtype=bool)
    if mine.sum() < 4 * _FEWEST:
        return found
    found[mine] = robust_score(values, mine)[mine] > _FAR
    return found if found.sum() <= max(_SHARE * mine.sum(), 2) else np.zeros_like(found)


def _typical(rest: Float, groups: Sequence[Group]) -> float:
    """Spread of residuals around the middle of each group."""
    inside = [np.abs(rest[g.structures] - np.median(rest[g.structures])) for g in groups]
    return 1.4826 * float(np.median(np.concatenate(inside)))


def _sums(structures: Structures, name: str, fitted: Fitted) -> tuple[Float, Float, Float]:
    """[n, 2] squares of labels and predictions, [n] products, [n] squares of differences."""
    squares = np.zeros((len(structures), 2))
    product, left = np.zeros(len(structures)), np.zeros(len(structures))
    if not structures.info.targets[name].has_forces:
        return squares, product, left
    ends = np.cumsum(structures.n_atoms)
    for block in structures.blocks((f"forces:{name}",)):
        labels = block.columns[f"forces:{name}"]
        first, last = block.structures[0], block.structures[-1]
        theirs = fitted.forces[ends[first] - structures.n_atoms[first] : ends[last]]
        known = np.isfinite(labels)
        labels, theirs = np.where(known, labels, 0.0), np.where(known, theirs, 0.0)
        squares[block.structures, 0] = block.total((labels**2).sum(axis=1))
        squares[block.structures, 1] = block.total((theirs**2).sum(axis=1))
        product[block.structures] = block.total((labels * theirs).sum(axis=1))
        left[block.structures] = block.total(((labels - theirs) ** 2).sum(axis=1))
    return squares, product, left

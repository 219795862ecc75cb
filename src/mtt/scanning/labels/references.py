"""Groups of structures whose energies have another reference, or another unit, than the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mtt.scanning.states import is_state
from mtt.scanning.tools.finding import Finding, Severity
from mtt.scanning.tools.groups import SIZE, Partition, named
from mtt.scanning.tools.residuals import per_element
from mtt.scanning.tools.structures import Float, Mask, Structures
from mtt.scanning.tools.unit_readings import ENERGIES, between, same

CHECK = "references of groups"
_FEWEST = 5  # structures of a group, and of the others
_NOTABLE = 0.5  # eV per atom between groups of one composition, and
_FAR = 10.0  # times the spread inside of them
_BINDING = 20.0  # eV per atom: more than binding differs by
_UNIT = 2.0  # eV per atom, where another unit explains it
_LARGE = 10.0  # eV per atom, where compositions differ


def check_references(structures: Structures, partitions: Sequence[Partition]) -> Iterator[Finding]:
    """Energies of a group that are shifted against those of all others.

    Structures of one composition are compared if there are any, else what the elements of the
    others add up to.
    """
    for name in structures.energies:
        usable = np.isfinite(structures.energy(name)) & (structures.n_atoms > 1)
        for partition in partitions:
            if partition.name == SIZE or is_state(partition.name):
                continue
            found = list(_of_partition(structures, name, partition, usable))
            if found:
                yield from found
                break


def _of_partition(
    structures: Structures, name: str, partition: Partition, usable: Mask
) -> Iterator[Finding]:
    values, sizes = np.unique(partition.of[usable], return_counts=True)
    order = np.argsort(sizes, kind="stable")  # of two groups the smaller one is named
    left = usable.copy()
    for value, size in zip(values[order].tolist(), sizes[order].tolist(), strict=True):
        mine = usable & partition.group(value)
        others = left & ~mine
        if size < _FEWEST or others.sum() < _FEWEST:
            continue
        shift, spread, is_same = _shift(structures, structures.energy(name), mine, others)
        ev = structures.electronvolt(name)
        unit = _unit(structures, name, mine, others)
        least = max(_NOTABLE * ev, _FAR * spread) if is_same else _LARGE * ev
        least = min(least, _UNIT * ev) if unit else least
        if abs(shift) < least:
            continue
        if not unit and len(values) == 2 and _unit(structures, name, others, mine):
            continue  # it is the other group that is in another unit
        left &= ~mine
        yield _finding(structures, name, partition, value, mine, unit, (shift, is_same))


def _shift(
    structures: Structures, energy: Float, mine: Mask, others: Mask
) -> tuple[float, float, bool]:
    """Per atom, the spread inside of the groups, and whether compositions are the same."""
    per_atom = energy / structures.n_atoms
    common = np.intersect1d(structures.composition[mine], structures.composition[others])
    if len(common):
        shifts, spreads = [], []
        for composition in common:
            here = structures.composition == composition
            both = [per_atom[here & which] for which in (mine, others)]
            middle = [float(np.median(some)) for some in both]
            shifts.append(middle[0] - middle[1])
            spreads += [float(np.median(np.abs(x - m))) for x, m in zip(both, middle, strict=True)]
        return float(np.median(shifts)), max(spreads), True
    counts = np.unique(structures.counts[others], axis=0)
    inside = structures.counts[mine]
    projected = inside @ (np.linalg.pinv(counts) @ counts)
    if not np.allclose(projected, inside, atol=1e-6):
        return 0.0, 0.0, False  # elements or ratios that the others do not determine
    rest = energy - structures.counts @ per_element(structures, energy, others)
    left = (rest / structures.n_atoms)[mine]
    stretched = np.linalg.norm(inside @ np.linalg.pinv(counts), axis=1)
    share = stretched * np.median(structures.n_atoms[others]) / structures.n_atoms[mine]
    return float(np.median(left / np.maximum(share, 1.0))), 0.0, False


def _finding(
    structures: Structures,
    name: str,
    partition: Partition,
    value: int,
    mine: Mask,
    other: str,
    shift: tuple[float, bool],
) -> Finding:
    unit = structures.info.targets[name].unit
    said = named(partition, [value], [int(mine.sum())])
    than = "in the other structures of the same composition"
    than = than if shift[1] else "elements of the other structures add up to"
    direction = "higher" if shift[0] > 0 else "lower"
    what = f"{said}: {name} is {abs(shift[0]):.4g} {unit} per atom {direction} than {than}"
    far = abs(shift[0]) > _BINDING * structures.electronvolt(name)
    severity: Severity = "wrong" if far or other else "suspicious"
    advice = "one method, one unit, one reference for all structures of a target"
    advice = f"they would fit in {other}; {advice}" if other else advice
    number_unit = f"{unit} per atom".strip()
    return Finding(CHECK, severity, what, structures.places(mine), shift[0], number_unit, advice)


def _unit(structures: Structures, name: str, mine: Mask, others: Mask) -> str:
    """The unit in which the energies of a group are those of the others; "" if there is none."""
    energy, said = structures.energy(name), structures.info.targets[name].unit
    expected = structures.counts @ per_element(structures, energy, others)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.median((expected / energy)[mine]))
    return next((unit for unit in ENERGIES if _fits(ratio, unit, said)), "")


def _fits(ratio: float, unit: str, said: str) -> bool:
    factor = between(unit, said or "eV")
    return not same(factor, 1.0) and same(ratio, factor, 0.05)

"""Labels that do not change although the structures do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mtt.scanning.tools.finding import Finding
from mtt.scanning.tools.forces import Forces
from mtt.scanning.tools.structures import Float, Mask, Structures

CHECK = "constant labels"
_DIGITS = 12  # behind the point
_MOST = 0.5  # of the frames of a file that have one value


def check_constant(
    structures: Structures, forces: dict[str, Forces], copies: Mask
) -> Iterator[Finding]:
    """Values that are the same in many frames, and components of forces that never change.

    :param copies: [n] copies of earlier structures; these may repeat labels.
    """
    for name, info in structures.info.targets.items():
        if not info.per_structure or info.shape != (1,):
            continue
        values = structures.values(name)[:, 0]
        usable = np.isfinite(values) & (values != 0.0) & ~copies & (structures.n_atoms > 1)
        if name in forces:  # crystals that symmetry makes equal
            usable &= forces[name].largest != 0.0
        for file in np.unique(structures.file):
            mine = usable & (structures.file == file)
            if mine.sum() > 2:
                yield from _repeated(structures, name, values, mine)
    for name, found in forces.items():
        yield from _flat(structures, name, found)


def _repeated(structures: Structures, name: str, values: Float, mine: Mask) -> Iterator[Finding]:
    where = np.flatnonzero(mine)
    unique, of, times = np.unique(values[where], return_inverse=True, return_counts=True)
    most = int(times.argmax())
    n, unit = len(where), structures.info.targets[name].unit
    share = times[most] / n
    advice = "has every structure its own label? A program may have repeated an earlier one"
    common = where[of == most]
    if share == 1.0:
        what, places = f"{name} is {unique[0]:.6g} in every frame", structures.whole(mine)
        yield Finding(CHECK, "wrong", what, places, float(unique[0]), unit, advice)
    elif share > _MOST and n > 4:
        what = f"{name} is {unique[most]:.6g} in {times[most]} of {n} structures"
        places, number = structures.places(common), float(unique[most])
        yield Finding(CHECK, "suspicious", what, places, number, unit, advice)
    elif n - len(unique) > 2 + 5 * _chance(unique, n):
        again = where[(times > 1)[of]]
        what = f"{len(again)} different structures share a value of {name} with another one"
        places = structures.places(again)
        yield Finding(CHECK, "suspicious", what, places, len(again), "structures", advice)


def _chance(unique: Float, n: int) -> float:
    """How many of ``n`` values coincide by chance, with the digits that they are written with."""
    digits = (d for d in range(_DIGITS) if (np.round(unique, d) == unique).all())
    step = 10.0 ** -next(digits, 16)
    low, high = np.quantile(unique, [0.1, 0.9])
    return n * n * step / (2.0 * max(float(high - low), step))


def _flat(structures: Structures, name: str, found: Forces) -> Iterator[Finding]:
    """A component of the forces that is one number, though atoms move along that axis."""
    known = (found.n_labelled > 1) & (structures.n_atoms > 1)
    lively = known & (found.largest > 0.0)
    if lively.sum() < 2:
        return
    for axis, letter in enumerate("xyz"):
        extended = lively & (found.extent[:, axis] > 0.1 * structures.angstrom)
        if extended.sum() < 2:
            continue
        low, high = found.lowest[extended, axis].min(), found.highest[extended, axis].max()
        if low == high:
            what = f"the {letter} component of the forces of {name} is always {low + 0.0:.6g}"
            advice = "a column may be lost or written twice"
            places = structures.whole(extended)
            yield Finding(CHECK, "wrong", what, places, float(low), "", advice)

"""What happens when an atom comes within the cutoff of another one: nothing sudden.

A quantity that is continuous has a jump between r - h and r + h that goes to zero with h. The
jump at h / 10 is compared with that at h: 0.1 or less of it for one that is continuous and has
a bounded slope on both sides, all of it for one that is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import ase
from torch import Tensor

from mtt.graph import Target
from mtt.testing import systems
from mtt.testing.failure import DoesNotApply
from mtt.testing.measure import Measured
from mtt.testing.subject import Subject

STEP = 1e-3  # h, in units of the cutoff
LARGEST_RATIO = 0.3
ROUNDING = 1e-13  # of the largest energy or force, in a difference of two float64 predictions

Make = Callable[[float], ase.Atoms]


def check_continuous(subject: Subject) -> Iterator[Measured]:
    """Energies and forces are continuous at the cutoff."""
    length = subject.info.length_unit
    for cutoff, elements, make in _approaches(subject):
        steps = (-STEP, STEP, -STEP / 10, STEP / 10)
        found = subject.predict([make(cutoff * (1 + step)) for step in steps])
        for name in subject.energies:
            unit = subject.info.targets[name].unit
            noise = _noise(name, found)
            values = [one[name].values for one in found]
            forces = [_forces(one[name]) for one in found]
            yield _jump(name, elements, cutoff, values, noise, unit)
            yield _jump(f"forces of {name}", elements, cutoff, forces, noise, f"{unit}/{length}")


def check_curvature(subject: Subject) -> Iterator[Measured]:
    """Second derivatives are continuous at the cutoff: forces change by (r - cutoff)² or less."""
    width = STEP / 100  # of the difference quotient
    for cutoff, elements, make in _approaches(subject):
        steps = (-STEP, STEP, -STEP / 10, STEP / 10)
        points = [step + side for step in steps for side in (-width, width)]
        found = subject.predict([make(cutoff * (1 + point)) for point in points])
        for name in subject.energies:
            forces = [_forces(one[name]) for one in found]
            slopes = [
                (b - a) / (2 * width * cutoff)
                for a, b in zip(forces[::2], forces[1::2], strict=True)
            ]
            noise = _noise(name, found) / (width * cutoff)
            unit = f"{subject.info.targets[name].unit}/{subject.info.length_unit}²"
            yield _jump(f"second derivative of {name}", elements, cutoff, slopes, noise, unit)


def _approaches(subject: Subject) -> list[tuple[float, str, Make]]:
    """Every pair of elements, alone and as part of a trimer, at every cutoff."""
    if not subject.cutoffs():
        raise DoesNotApply("the model asks for no neighbours")
    found: list[tuple[float, str, Make]] = []
    first, last = subject.elements[0], subject.elements[-1]
    for cutoff in subject.cutoffs():
        for pair in sorted({(first, first), (first, last), (last, last)}):
            found.append((cutoff, "a dimer", partial(systems.dimer, pair)))
        three = (first, last, first)
        found.append((cutoff, "a trimer", partial(systems.trimer, three)))
    return found


def _jump(
    what: str, elements: str, cutoff: float, values: list[Tensor], noise: float, unit: str
) -> Measured:
    """``values`` at cutoff · (1 - STEP, 1 + STEP, 1 - STEP/10, 1 + STEP/10)."""
    wide, narrow = (
        float((b - a).abs().max()) for a, b in zip(values[::2], values[1::2], strict=True)
    )
    return Measured(
        what=f"{what} where a neighbour crosses the cutoff ({cutoff:g})",
        difference=narrow,
        magnitude=max(float(one.abs().max()) for one in values),
        allowed=max(LARGEST_RATIO * wide, noise),
        unit=unit,
        verb="jump by",
        where=elements,
    )


def _noise(name: str, found: list[dict[str, Target]]) -> float:
    """What rounding may do to energies and forces."""
    parts = [part for one in found for part in (one[name].values, _forces(one[name]))]
    return ROUNDING * max(float(part.abs().max()) for part in parts)


def _forces(target: Target) -> Tensor:
    assert target.forces is not None, "energies come with forces"
    return target.forces

"""What happens when an atom comes within the cutoff of another one: nothing sudden.

A quantity that is continuous has a jump between r - h and r + h that goes to zero with h. The
jump at h / 10 is compared with that at h: 0.1 or less of it for one that is continuous and has
a bounded slope on both sides, all of it for one that is not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import ase
from torch import Tensor

from mtt.graph import Target
from mtt.testing import systems
from mtt.testing.check import CheckFailed, DoesNotApply
from mtt.testing.subject import Subject

STEP = 1e-3  # h, in units of the cutoff
LARGEST_RATIO = 0.3
ROUNDING = 1e-13  # of the largest energy or force, in a difference of two float64 predictions

Make = Callable[[float], ase.Atoms]


def check_continuous(subject: Subject) -> None:
    """Energies and forces are continuous at the cutoff."""
    hint = (
        "multiply what a neighbour adds by a function that is zero, with its slope, at the cutoff"
    )
    for cutoff, elements, make in _approaches(subject):
        steps = (-STEP, STEP, -STEP / 10, STEP / 10)
        found = subject.predict([make(cutoff * (1 + step)) for step in steps])
        for name in subject.energies:
            noise = _noise(name, found)
            values = [one[name].values for one in found]
            forces = [_forces(one[name]) for one in found]
            _check_jump(f"{name} of {elements}", cutoff, values, noise, hint)
            _check_jump(f"forces of {name} in {elements}", cutoff, forces, noise, hint)


def check_curvature(subject: Subject) -> None:
    """Second derivatives are continuous at the cutoff: forces change by (r - cutoff)² or less."""
    hint = "the cutoff function needs a second derivative of zero at the cutoff, too"
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
            _check_jump(f"derivative of the forces of {name} in {elements}", cutoff, slopes,
                        noise, hint)  # fmt: skip


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


def _check_jump(what: str, cutoff: float, values: list[Tensor], noise: float, hint: str) -> None:
    """``values`` at cutoff · (1 - STEP, 1 + STEP, 1 - STEP/10, 1 + STEP/10)."""
    if not all(bool(one.isfinite().all()) for one in values):
        raise CheckFailed(f"{what} is not finite near the cutoff ({cutoff:g})", hint=hint)
    wide, narrow = (
        float((b - a).abs().max()) for a, b in zip(values[::2], values[1::2], strict=True)
    )
    if narrow > max(LARGEST_RATIO * wide, noise):
        raise CheckFailed(
            f"{what} jump by {narrow:.1e} where a neighbour crosses the cutoff ({cutoff:g})",
            hint=hint,
        )


def _noise(name: str, found: list[dict[str, Target]]) -> float:
    """What rounding may do to energies and forces."""
    parts = [part for one in found for part in (one[name].values, _forces(one[name]))]
    return ROUNDING * max(float(part.abs().max()) for part in parts)


def _forces(target: Target) -> Tensor:
    assert target.forces is not None, "energies come with forces"
    return target.forces

"""Derivatives of targets by positions and strain, from the numbers of a file.

The Born charge Z*_ab = ∂μ_a/∂r_b of an atom is 9 numbers, row by row: the index of the displacement
is the last one, as in the literature. Other files have it first, ∂μ_a/∂r_b for all a, then the next
b. The numbers do not show which; the sum rule of rotations does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from mtt.data import kinds
from mtt.data.files.raw_frame import RawFrame
from mtt.data.findings import files_of
from mtt.data.frames import Float
from mtt.data.labels.find_key import Section
from mtt.data.labels.keys import numbers_in
from mtt.data.target_kind import TargetKind
from mtt.errors import Problem
from mtt.options.values import GradientOptions, TargetOptions

AXES = {"positions": 1, "strain": 2}
_ASYMMETRY = 0.01  # of the largest component, as of a stress
_FRAMES = 100  # enough to know an order by
_FULFILLED, _BROKEN = 0.05, 0.5  # relative errors of the sum rule


def derivative_section(
    target: str, name: str, target_options: TargetOptions, options: GradientOptions
) -> Section:
    """How the derivatives ``name`` of a target are looked up: see :func:`derivatives_of`."""
    kind, p = kinds.of(target_options.kind), target_options.num_subtargets
    axes, per_atom = AXES[name], name == "positions"
    tail = () if target_options.kind == "scalar" and p == 1 else kind.shape(p)
    return Section(
        f"targets.{target}.gradients.{name}",
        options.key,
        per_atom,
        explicit=True,
        convert=_converter(kind, p, axes, per_atom, options.index, tail),
        shape=lambda n: (n if per_atom else 1, *(3,) * axes, *tail),
    )


def _converter(
    kind: TargetKind, p: int, axes: int, per_atom: bool, index: str, tail: tuple[int, ...]
) -> Callable[[object, int], Float]:
    def convert(value: object, n_atoms: int) -> Float:
        n = n_atoms if per_atom else 1
        return derivatives_of(value, n, kind, p, axes, index).reshape(n, *(3,) * axes, *tail)

    return convert


def derivatives_of(
    value: object, n: int, kind: TargetKind, properties: int, axes: int, index: str
) -> Float:
    """``[n, 3, *shape]`` by positions (``axes`` is 1), ``[n, 3, 3, *shape]`` by strain (2).

    A row that lacks one number (NaN) is missing as a whole.

    :param index: where the file has the index of the displacement or strain, see the module.
    :raises ValueError: another number of values, text, infinite; by strain: not symmetric.
    """
    array, size = numbers_in(value), 3**axes
    numbers = [kind.size * properties]
    if getattr(kind, "six_numbers", None) and properties == 1:
        numbers.append(6)
    if array.size not in [n * size * count for count in numbers]:
        of = "displacements" if axes == 1 else "components of strain"
        wanted = f"[{n}, {size * numbers[0]}]" if axes == 1 else f"[{size * numbers[0]}]"
        what = f"shape {list(array.shape)} where {wanted} is expected"
        raise ValueError(f"{what} ({size} {of} of {numbers[0]} numbers)")
    if np.isinf(array).any():
        raise ValueError("infinite")
    count = array.size // (n * size) if n else numbers[0]
    rows = array.reshape(n, size, count)
    if index == "last":
        rows = array.reshape(n, count, size).swapaxes(1, 2)
    values = kind.read(rows.reshape(n * size, count), n * size, properties)
    values = values.reshape(n, *(3,) * axes, *kind.shape(properties))
    missing = np.isnan(values).any(axis=tuple(range(1, values.ndim)))
    values[missing] = np.nan
    return _symmetric(values) if axes == 2 else values


def _symmetric(values: Float) -> Float:
    """Derivatives by strain, of which the two by xy and yx are one.

    :raises ValueError: they differ.
    """
    other = values.swapaxes(1, 2)
    gap, largest = np.abs(values - other).max(initial=0.0), np.abs(values).max(initial=0.0)
    if gap > _ASYMMETRY * largest:
        what = "not symmetric in the indices of the strain: components such as xy and yx differ by"
        raise ValueError(f"{what} {gap:.3g}; try the other index, or symmetrise them")
    symmetric: Float = 0.5 * (values + other)
    return symmetric


def order_problem(
    name: str,
    options: TargetOptions,
    frames: Sequence[RawFrame],
    values: Sequence[Float],
    slopes: Sequence[Float],
) -> Problem | None:
    """Find derivatives by positions that fulfil the sum rule in the other order of their indices.

    Where a molecule is turned its vector turns with it: ``Σ_i ∂T/∂r_i · (ω × r_i)`` is the change
    of T by the turn. It holds for molecules without a net charge, whatever the origin.

    :param values: ``[1, *shape]`` of each structure; ``slopes``: ``[n_atoms, 3, *shape]``.
    """
    kind, p = kinds.of(options.kind), options.num_subtargets
    if options.positions is None or kind.is_invariant:
        return None
    usable = (
        (frame, value, slope)
        for frame, value, slope in zip(frames, values, slopes, strict=True)
        if not frame.pbc.any() and len(slope) > 1 and np.isfinite(value).all()
        and np.isfinite(slope).all()
    )  # fmt: skip
    errors = np.zeros(3)
    for frame, value, slope in islice(usable, _FRAMES):
        errors += _rule_errors(kind, p, np.asarray(frame.positions), value, slope)
    wanted, given, other = np.sqrt(errors)
    if not (wanted > 0 and other < _FULFILLED * wanted and given > _BROKEN * wanted):
        return None
    index = "first" if options.positions.index == "last" else "last"
    where = f"{files_of(frames)} targets.{name}.gradients.positions"
    what = (
        f"{options.positions.key!r} does not rotate with the molecules as {name} does; it would "
        f"with the index of the displacement {index}"
    )
    return Problem(what, where, f"write index: {index}")


def _rule_errors(
    kind: TargetKind, p: int, positions: Float, value: Float, slope: Float
) -> NDArray[np.float64]:
    """Sums of squares: of the change of the value, of the errors of ``slope`` in both orders."""
    n = len(slope)
    other = slope.reshape(n, 3, -1).swapaxes(1, 2).reshape(slope.shape)
    squares = np.zeros(3)
    for axis in range(3):
        about = np.zeros((3, 3))
        about[(axis + 1) % 3, (axis + 2) % 3], about[(axis + 2) % 3, (axis + 1) % 3] = -1.0, 1.0
        change = _change(kind, value, about)
        moved = positions @ about.T
        found = [np.einsum("ib,ib...->...", moved, one).reshape(-1) for one in (slope, other)]
        squares += [(change**2).sum(), *(((one - change) ** 2).sum() for one in found)]
    return squares


def _change(kind: TargetKind, value: Float, about: NDArray[np.float64], h: float = 1e-3) -> Float:
    """Derivative of a value by the angle of a rotation, flat: a central difference."""
    turned = []
    for angle in (h, -h):
        matrix = np.eye(3) + np.sin(angle) * about + (1 - np.cos(angle)) * about @ about
        turned.append(kind.rotated(torch.from_numpy(value), torch.from_numpy(matrix)[None]))
    difference: Float = ((turned[0] - turned[1]) / (2 * h)).numpy().reshape(-1)
    return difference

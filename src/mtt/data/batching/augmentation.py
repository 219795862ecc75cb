"""Rotational augmentation: every structure is turned at random, and its labels with it.

With a new random orthogonal matrix Q for each structure in every epoch,

    rows of vectors v (positions, cell vectors, forces)    v Qᵀ
    tensors σ (derivatives by a strain)                    Q σ Qᵀ

while scalars stay as they are, and values of other kinds turn as their kind says. Pair vectors are
differences of positions, so they turn too, and neighbour lists need not be found again.

Q is a pure function of (seed, epoch, number of the structure in the data set): it depends
neither on the batches nor on their order, so a resumed run has no random state to restore.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.data.info import TargetInfo

Augmentation = Literal["none", "so3", "o3"]

_INVERSIONS = {"so3": False, "o3": True}
_STREAM = 1  # spawn key of these draws; the order of the structures has the stream without one


@dataclass(frozen=True)
class Turns:
    """The matrices of all structures in one epoch; see :func:`make_turns`."""

    draws: NDArray[np.uint32]  # [n, 4]: three for the rotation, one for the inversion
    inversions: bool

    def __call__(self, structures: NDArray[np.int64]) -> Tensor:
        """[m, 3, 3] float64, Q of the ``structures`` of these numbers."""
        draws = self.draws[structures]
        matrices = rotations((draws[:, :3].astype(np.float64) + 0.5) / 2.0**32)
        if self.inversions:
            matrices[draws[:, 3] >= 2**31] *= -1.0
        return torch.from_numpy(matrices)


def make_turns(augmentation: Augmentation, n: int, seed: int, epoch: int) -> Turns | None:
    """Random turns of ``n`` structures in ``epoch``; None for ``"none"``.

    :param augmentation: ``"so3"``: rotations, uniform by the Haar measure; ``"o3"``: the same
        rotations, every one with probability 1/2 followed by the inversion.

    Only the raw output of numpy's PCG64 is used, whose stream is fixed for good; that of a
    structure does not depend on ``n``.
    """
    if augmentation == "none":
        return None
    bits = np.random.PCG64(np.random.SeedSequence([seed % 2**64, epoch], spawn_key=(_STREAM,)))
    raw = bits.random_raw(2 * n).astype("<u8")
    return Turns(raw.view("<u4").reshape(n, 4), _INVERSIONS[augmentation])


def rotations(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """[m, 3, 3] rotations of which [m, 3] numbers, uniform in (0, 1), make uniform ones.

    By a unit quaternion: K. Shoemake, Uniform random rotations, Graphics Gems III (1992) 124.
    """
    first, second, third = uniform.T
    s, c = np.sqrt(1.0 - first), np.sqrt(first)
    x, y = s * np.sin(2.0 * np.pi * second), s * np.cos(2.0 * np.pi * second)
    z, w = c * np.sin(2.0 * np.pi * third), c * np.cos(2.0 * np.pi * third)
    rows = [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
        [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
        [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1).copy()


def turn_vectors(vectors: Tensor, turns: Tensor, owner: Tensor) -> Tensor:
    """v Qᵀ for each row of [n, 3] vectors, by Q of the structure that [n] ``owner`` names."""
    return torch.bmm(turns.index_select(0, owner), vectors[:, :, None])[:, :, 0]


def turn_cells(cells: Tensor, turns: Tensor) -> Tensor:
    """[m, 3, 3] cells, whose rows are vectors, by [m, 3, 3] turns."""
    return torch.bmm(cells, turns.transpose(1, 2))


def turn_tensors(tensors: Tensor, turns: Tensor) -> Tensor:
    """Q σ Qᵀ for each of [m, 3, 3] tensors, by its own Q of [m, 3, 3] turns."""
    return torch.bmm(turn_cells(turns, tensors.transpose(1, 2)), turns.transpose(1, 2))


def turn_forces(forces: Tensor, info: TargetInfo, turns: Tensor, owner: Tensor) -> Tensor:
    """Derivatives by positions [n, 3, ...] of a target, turned as its components are.

    :param owner: [n] structure of each row, of those of ``turns``.
    """
    if info.is_number:
        return turn_vectors(forces, turns, owner)
    return _turn_derivatives(forces, info, turns.index_select(0, owner), 1)


def turn_strain(strain: Tensor, info: TargetInfo, turns: Tensor) -> Tensor:
    """Derivatives by strain [m, 3, 3, ...] of a target, each by its own of [m, 3, 3] turns."""
    if info.is_number:
        return turn_tensors(strain, turns)
    return _turn_derivatives(strain, info, turns, 2)


def _turn_derivatives(values: Tensor, info: TargetInfo, matrices: Tensor, axes: int) -> Tensor:
    """:param axes: indices of displacement or strain, the first ones after the rows."""
    # the kind turns components; displacements go along as properties
    moved = values.flatten(1, axes).movedim(1, -2)
    turned = info.of_kind.rotated(moved.flatten(-2), matrices)
    values = turned.view(moved.shape).movedim(-2, 1).reshape(values.shape)
    for axis in range(1, axes + 1):
        turned = torch.einsum("mab,mb...->ma...", matrices, values.movedim(axis, 1))
        values = turned.movedim(1, axis)
    return values

"""One structure with its labels, as read from a file: the value between files and columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtt.data.info import DatasetInfo

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]


class FrameLabels(NamedTuple):
    """The labels of one target in one frame, physical totals in the unit of the target.

    A missing label is NaN; ``forces`` and ``strain`` are None where the target has no such
    gradient in the whole data set.
    """

    values: Float  # [1, *shape], or [n_atoms, *shape] for a per-atom target, [L, *shape] of pairs
    forces: Float | None = None  # [n_atoms, 3], minus the gradient by positions
    strain: Float | None = None  # [3, 3] volume times stress, minus the virial
    pairs: NDArray[np.int64] | None = None  # [L, 5] first and second atom, shifts of the second


class Frame(NamedTuple):
    """A structure, its labels, and the place it was read from (for messages)."""

    numbers: NDArray[np.int64]  # [n_atoms] atomic numbers
    positions: Float  # [n_atoms, 3]
    cell: Float  # [3, 3], rows are cell vectors
    pbc: NDArray[np.bool_]  # [3]
    labels: dict[str, FrameLabels]
    extra: dict[str, Float]  # extra_data, each shaped as FrameLabels.values
    source: str  # "train.xyz, frame 12", frames counted from 0
    weight: float = 1.0  # in the loss, finite and not negative
    info: Mapping[str, str] = {}  # what else the file says of it, in one word or number each


class FrameSet(NamedTuple):
    """Contents of a data set of the options: ``frames, info, notices = read_frames(...)``."""

    frames: list[Frame]
    info: DatasetInfo
    notices: tuple[str, ...]  # sentences for the user: labels missing, gradients switched off

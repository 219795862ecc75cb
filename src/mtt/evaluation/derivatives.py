"""Derivatives of targets that are not energies, as numbers of a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mtt.data.info import TargetInfo
from mtt.graph import Target

Rows = NDArray[np.float64] | None


def written_derivatives(info: TargetInfo, target: Target, i: int, rows: slice) -> tuple[Rows, Rows]:
    """Of structure ``i``, whose atoms are ``rows``: by positions [n, 3 k], by strain [9 k].

    None where there are none. The index of the displacement or strain is the last one, as files are
    read.
    """
    sign = -1.0 if info.is_number else 1.0
    forces, strain = target.forces, target.strain
    return (
        None if forces is None else _last(info, sign * forces[rows], 1),
        None if strain is None else _last(info, strain[i : i + 1], 2)[0],
    )


def _last(info: TargetInfo, values: Tensor, axes: int) -> NDArray[np.float64]:
    """[n, 3 k] or [n, 9 k] of [n, 3, ...] or [n, 3, 3, ...]."""
    n, size = len(values), 3**axes
    numbers = info.of_kind.written(values.double().reshape(n * size, *info.shape).numpy())
    columns: NDArray[np.float64] = numbers.reshape(n, size, -1).swapaxes(1, 2).reshape(n, -1)
    return columns

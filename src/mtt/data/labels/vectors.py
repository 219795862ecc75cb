"""Vectors and tensors that are given as scalars, side by side under one target."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from mtt.data import kinds
from mtt.data.frames import Float
from mtt.options.values import TargetOptions

_EQUAL = 3.0  # components whose sizes differ by less than this factor
_NAMES = re.compile(r"(?i:dipole|force|gradient|vector|velocit|moment|magmom|field|current|flux)")


def vector_notice(
    file: str, name: str, options: TargetOptions, values: Sequence[Float]
) -> list[str]:
    """A warning where three (or nine) numbers under a scalar target look like a vector.

    Three scalars may be of any sizes. Components of a vector, over structures that point
    anywhere, are of one size; names are a sign, too.

    :param values: [n, properties] of each structure, NaN where missing.
    """
    if kinds.of(options.kind).components or options.num_subtargets not in (3, 9):
        return []
    numbers = np.concatenate(values)
    numbers = numbers[np.isfinite(numbers).all(axis=1)]
    if not len(numbers):
        return []
    sizes = np.sqrt((numbers**2).mean(axis=0))
    equal = sizes.min() > 0 and sizes.max() < _EQUAL * sizes.min()
    named = _NAMES.search(options.key) or _NAMES.search(name)
    is_matrix = options.num_subtargets == 9
    if not (equal or named or is_matrix):
        return []
    what, rank = ("a 3 × 3 tensor", 2) if is_matrix else ("a vector", 1)
    of = "each atom" if options.sample_kind == "atom" else "each structure"
    return [
        f"{file}: the {options.num_subtargets} numbers of {options.key!r} for {of} look like "
        f"{what}, but {name} is a scalar target: its predictions do not turn with a structure; "
        f"write type: {{cartesian: {{rank: {rank}}}}} in place of num_subtargets"
    ]

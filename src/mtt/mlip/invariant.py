"""Which numbers of a target a baseline by composition can be part of: those that never turn."""

from __future__ import annotations

import math

from torch import Tensor

from mtt.baselines.given import WHERE
from mtt.data.info import TargetInfo
from mtt.errors import ConfigError


def all_columns(table: Tensor, target: TargetInfo) -> Tensor:
    """``table``, whose columns are the invariant numbers of a sample, with zeros for the others."""
    columns = table.new_zeros(len(table), math.prod(target.shape))
    columns[:, target.invariant_columns] = table
    return columns


def check_invariant(name: str, target: TargetInfo) -> None:
    """Whether numbers of elements can be given for the target.

    :raises ConfigError: all of its components turn with the structure.
    """
    if not target.invariant_columns:
        raise ConfigError(
            f"{name} is a {target.of_kind.name}, which turns with the structure: no number of an "
            "element can be part of it",
            where=f"{WHERE}.{name}",
            hint="leave it out",
        )

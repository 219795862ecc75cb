"""A number, which no rotation or inversion changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mtt.data.target_kind import Block, TargetKind


@dataclass(frozen=True)
class Scalar(TargetKind):
    """One number per property, without components."""

    name: ClassVar[str] = "scalar"

    @property
    def blocks(self) -> tuple[Block, ...]:
        return (Block(),)

    @property
    def invariants(self) -> tuple[int, ...]:
        return (0,)

    def rotated(self, values: Tensor, matrices: Tensor) -> Tensor:
        return values


KIND = Scalar

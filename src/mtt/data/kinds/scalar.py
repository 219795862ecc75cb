"""A number, which no rotation or inversion changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtt.data.target_kind import Block, Irrep, TargetKind


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

    @property
    def irreducible(self) -> tuple[Irrep, ...]:
        return (Irrep(0, 1),)

    def from_irreducible(self) -> Tensor:
        return torch.ones(1, 1, dtype=torch.float64)

    def rotated(self, values: Tensor, matrices: Tensor) -> Tensor:
        return values


KIND = Scalar

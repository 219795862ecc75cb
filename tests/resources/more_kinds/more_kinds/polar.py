"""Polar vectors: x, y and z, which the inversion reverses."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from mtt.extend import Axis, Block, TargetKind


@dataclass(frozen=True)
class Polar(TargetKind):
    """A vector v, which becomes Q v."""

    name: ClassVar[str] = "polar"

    @property
    def blocks(self):
        return (Block(axes=(Axis("xyz", (0, 1, 2)),)),)

    @property
    def parts(self):
        return (("x", (0,)), ("y", (1,)), ("z", (2,)))

    def rotated(self, values, matrices):
        return torch.einsum("mab,mbp->map", matrices.to(values.dtype), values)


KIND = Polar

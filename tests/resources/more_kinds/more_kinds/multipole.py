"""Charges (l=0) and dipoles (l=1, in the order y, z, x) of atoms, each a block."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from mtt.extend import Axis, Block, TargetKind


@dataclass(frozen=True)
class Multipole(TargetKind):
    """One after the other, the multipoles of the degrees ``l``."""

    name: ClassVar[str] = "multipole"
    key_names: ClassVar[tuple[str, ...]] = ("o3_lambda", "o3_sigma")
    additive: ClassVar[bool] = False  # moments about different origins

    l: tuple[int, ...] = (0, 1)

    def __post_init__(self):
        if not self.l or any(degree not in (0, 1) for degree in self.l):
            raise ValueError(f"l is {list(self.l)}: degrees are 0 and 1")

    @property
    def blocks(self):
        axes = {degree: Axis("o3_mu", tuple(range(-degree, degree + 1))) for degree in self.l}
        return tuple(Block((degree, 1), (axes[degree],)) for degree in self.l)

    @property
    def _starts(self):
        sizes = torch.tensor([0] + [2 * degree + 1 for degree in self.l])
        return sizes.cumsum(0).tolist()

    @property
    def invariants(self):
        return tuple(start for start, l in zip(self._starts, self.l, strict=False) if l == 0)

    @property
    def parts(self):
        return tuple(
            (f"l={l}", tuple(range(start, start + 2 * l + 1)))
            for start, l in zip(self._starts, self.l, strict=False)
        )

    def rotated(self, values, matrices):
        Q = matrices.to(values.dtype)[:, [1, 2, 0]][:, :, [1, 2, 0]]
        turned = [
            values[:, start : start + 1]
            if l == 0
            else torch.einsum("mab,mbp->map", Q, values[:, start : start + 3])
            for start, l in zip(self._starts, self.l, strict=False)
        ]
        return torch.cat(turned, dim=1)


KIND = Multipole

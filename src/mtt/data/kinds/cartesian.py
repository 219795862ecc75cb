"""A vector or tensor of x, y and z, whose indices all turn with the structure."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass, field
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.data.target_kind import Axis, Block, Irrep, TargetKind
from mtt.harmonics import FROM_XYZ, cartesian_parts

ORDERS = {"voigt": (0, 5, 4, 5, 1, 3, 4, 3, 2), "vasp": (0, 3, 5, 3, 1, 4, 5, 4, 2)}
"""Of six numbers those that make a symmetric 3×3 tensor, row by row."""

_ORDERS_IN_WORDS = "voigt for xx, yy, zz, yz, xz, xy (ASE), vasp for xx, yy, zz, xy, yz, zx"
_TOLERANCE = 0.01  # of the largest component: rounding, or an average worth taking
_LARGEST_RANK = 4


@dataclass(frozen=True)
class Cartesian(TargetKind):
    """A tensor T, which becomes ``Q_ia Q_jb … T_ab…``; under inversion of the sign (-1)^rank.

    :param rank: 1 of vectors, 2 of 3×3 tensors, at most 4.
    :param symmetric: of rank 2, components xy and yx are one.
    :param traceless: of rank 2, xx + yy + zz is zero.
    :param six_numbers: ``"voigt"`` or ``"vasp"``, the order of files that have six numbers for a
        symmetric tensor. It is a property of the file alone: the kind is the same without.
    :raises ValueError: parameters of no such tensor.
    """

    name: ClassVar[str] = "cartesian"
    extensive: ClassVar[bool] = True

    rank: int
    symmetric: bool = False
    traceless: bool = False
    six_numbers: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if type(self.rank) is not int or not 0 <= self.rank <= _LARGEST_RANK:
            raise ValueError(f"rank must be 1, 2, 3 or {_LARGEST_RANK}, got {self.rank!r}")
        if self.rank == 0:
            raise ValueError("a tensor of rank 0 is a number: write type: scalar")
        for name in ("symmetric", "traceless"):
            if type(getattr(self, name)) is not bool:
                raise ValueError(f"{name} must be true or false, got {getattr(self, name)!r}")
        if self.six_numbers is not None and self.six_numbers not in ORDERS:
            raise ValueError(f"six_numbers must be {_ORDERS_IN_WORDS}, got {self.six_numbers!r}")
        if self.rank != 2 and (self.symmetric or self.traceless or self.six_numbers):
            raise ValueError("symmetric, traceless and six_numbers are for rank 2")
        if self.six_numbers:
            object.__setattr__(self, "symmetric", True)

    @classmethod
    def examples(cls) -> tuple[Cartesian, ...]:
        return cls(1), cls(2), cls(2, symmetric=True)

    @property
    def blocks(self) -> tuple[Block, ...]:
        names = ["xyz"] if self.rank == 1 else [f"xyz_{i + 1}" for i in range(self.rank)]
        return (Block(axes=tuple(Axis(name, (0, 1, 2)) for name in names)),)

    @property
    def text(self) -> str:
        parameters = {k: v for k, v in asdict(self).items() if v and k != "six_numbers"}
        return f"{self.name} {json.dumps(parameters, sort_keys=True)}"

    @property
    def invariant_groups(self) -> tuple[tuple[int, ...], ...]:
        return ((0, 4, 8),) if self.rank == 2 and not self.traceless else ()

    @property
    def symmetries(self) -> tuple[bool, bool]:
        return self.symmetric, self.traceless

    @property
    def exchange(self) -> tuple[tuple[int, int], ...]:
        if self.rank != 2:
            return super().exchange
        return tuple((3 * (place % 3) + place // 3, 1) for place in range(9))

    @property
    def parts(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        if self.symmetric:
            off = (("yz", (5, 7)), ("xz", (2, 6)), ("xy", (1, 3)))
            return (("xx", (0,)), ("yy", (4,)), ("zz", (8,)), *off)
        axes = itertools.product("xyz", repeat=self.rank)
        return tuple(("".join(name), (place,)) for place, name in enumerate(axes))

    @property
    def irreducible(self) -> tuple[Irrep, ...]:
        if self.rank == 1:
            return (Irrep(1, 1),)
        return tuple(Irrep(*key) for key in cartesian_parts() if self._has(*key))

    def from_irreducible(self) -> Tensor:
        if self.rank == 1:
            return torch.eye(3, dtype=torch.float64)[:, list(FROM_XYZ)]
        parts = cartesian_parts()
        return torch.cat([parts[one.l, one.sigma].flatten(0, 1) for one in self.irreducible], dim=1)

    def _has(self, l: int, sigma: int) -> bool:
        """Whether the part (l, σ) of a tensor of rank 2 need not be zero."""
        if self.rank != 2:
            return False
        return not (self.symmetric and sigma == -1) and not (self.traceless and l == 0)

    def rotated(self, values: Tensor, matrices: Tensor) -> Tensor:
        matrices = matrices.to(values.dtype)
        for axis in range(1, self.rank + 1):
            turned = torch.einsum("mab,mb...->ma...", matrices, values.movedim(axis, 1))
            values = turned.movedim(1, axis)
        return values

    def read(
        self, array: NDArray[np.float64], n_samples: int, properties: int
    ) -> NDArray[np.float64]:
        """As of every kind; six numbers where ``six_numbers`` names their order.

        :raises ValueError: another number of values, or a tensor without a symmetry that it is
            declared to have.
        """
        if self.rank == 2 and properties == 1 and array.size == 6 * n_samples:
            array = self._from_six(array.reshape(n_samples, 6))
        values = super().read(array, n_samples, properties)
        if self.symmetric:
            other = values.swapaxes(1, 2)
            self._check("symmetric", "xy and yx, or xz and zx, or yz and zy", values, other)
            values = 0.5 * (values + other)
        if self.traceless:
            trace = np.trace(values, axis1=1, axis2=2)[:, None, None, :] / 3.0
            without = values - trace * np.eye(3)[None, :, :, None]
            self._check("traceless", "the mean of xx, yy, zz and zero", values, without)
            values = without
        return values

    def _from_six(self, array: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.six_numbers is None:
            raise ValueError(
                "6 numbers where 9 are expected: of a symmetric tensor, in an order that the file "
                f"does not name; write six_numbers in its type: {_ORDERS_IN_WORDS}"
            )
        return array[:, list(ORDERS[self.six_numbers])]

    def _check(
        self, name: str, what: str, values: NDArray[np.float64], wanted: NDArray[np.float64]
    ) -> None:
        """Whether labels are what they are declared to be, up to 1 % of the largest component."""
        axes = (1, 2, 3)
        gap, size = (np.abs(one).max(axis=axes) for one in (values - wanted, values))
        wrong = gap > _TOLERANCE * size  # not so for a missing value
        if wrong.any():
            number = int(np.argmax(wrong))
            of_atom = f" (atom {number})" if len(values) > 1 else ""
            raise ValueError(
                f"not {name}, as its type says: {what} differ by {gap[number]:.3g}{of_atom}; "
                f"correct it, or leave out {name}"
            )


KIND = Cartesian

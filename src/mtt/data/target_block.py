"""What the components of a target are called: axes and blocks of a ``TensorMap``."""

from __future__ import annotations

import math
from typing import NamedTuple


class Axis(NamedTuple):
    """One component axis of a metatensor block."""

    name: str  # "xyz"
    labels: tuple[int, ...]  # (0, 1, 2)


class Channels(NamedTuple):
    """Properties that a block has by itself, radial channels above all."""

    names: tuple[str, ...]  # ("n",)
    labels: tuple[tuple[int, ...], ...]  # ((0,), (1,), (2,))


class Block(NamedTuple):
    """The components that are one block of a ``TensorMap``."""

    key: tuple[int, ...] = (0,)  # one number for each of the kind's ``key_names``
    axes: tuple[Axis, ...] = ()
    channels: Channels | None = None  # None: the properties are those of the target
    element: int = 0  # atomic number of the atoms that have it; 0: all of them
    second: int = 0  # of values of pairs, that of the second atom

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of components along each axis."""
        return tuple(len(axis.labels) for axis in self.axes)

    @property
    def size(self) -> int:
        """Number of components, those of all channels together; the channel is the last index."""
        return math.prod(self.shape) * (1 if self.channels is None else len(self.channels.labels))

    def properties(self, name: str, number: int) -> Channels:
        """Names and labels of the properties of a target ``name`` that has ``number`` of them."""
        own = tuple((i,) for i in range(number))
        if self.channels is None:
            return Channels((name,), own)
        names, labels = self.channels
        if number == 1:
            return self.channels
        return Channels((*names, name), tuple((*a, *b) for a in labels for b in own))


class Irrep(NamedTuple):
    """Degree and parity of components that turn among themselves: an irreducible part."""

    l: int
    sigma: int  # 1: as spherical harmonics; -1, a pseudotensor: with the other sign if inverted

    @property
    def size(self) -> int:
        """2 l + 1, its number of components."""
        return 2 * self.l + 1

"""Products of functions of two atoms, once the atoms have changed places."""

from __future__ import annotations

from functools import cache

from mtt.data.spherical.parts import Part
from mtt.harmonics import coupling


@cache
def exchanged_places(parts: tuple[Part, ...]) -> tuple[tuple[int, int], ...]:
    """Of each component the place and the sign of its value of the pair (j, i).

    The block of (j, i) is the transpose of that of (i, j) where a matrix is symmetric. Of coupled
    products the matrix of Clebsch-Gordan coefficients gives the sign, (-1)^(l₁ + l₂ - l) in the
    usual phases.

    :param parts: of all elements, with two channels each.
    """
    places: dict[tuple[object, ...], int] = {}
    start = 0
    for part in parts:
        for name, place in _named(part, start):
            places[name] = place
        start += part.n_components * part.n_channels
    found = [(0, 1)] * start
    for name, place in places.items():
        other, sign = _exchanged(name)
        found[place] = places[other], sign
    return tuple(found)


Name = tuple[object, ...]


def _named(part: Part, start: int) -> list[tuple[Name, int]]:
    """Elements, degrees, channels and components of each number of a block, and its place."""
    assert part.channels is not None, "products have channels"
    elements = part.element, part.second
    n = part.n_channels
    found: list[tuple[Name, int]] = []
    for channel, label in enumerate(part.channels.labels):
        for i in range(part.n_components):
            place = start + i * n + channel
            if len(part.irreps) == 2:
                first, second = part.irreps
                rows = divmod(i, second.size)
                found.append((("c", *elements, first, second, *label, *rows), place))
            else:
                found.append((("l", *elements, part.irreps[0], *label, i), place))
    return found


def _exchanged(name: Name) -> tuple[Name, int]:
    kind, one, other, *rest = name
    if kind == "c":
        first, second, n1, n2, m1, m2 = rest
        return (kind, other, one, second, first, n2, n1, m2, m1), 1
    irrep, l1, l2, n1, n2, m = rest
    sign = _sign(l1, l2, irrep.l)  # type: ignore[attr-defined]
    return (kind, other, one, irrep, l2, l1, n2, n1, m), sign


@cache
def _sign(l1: int, l2: int, l: int) -> int:
    """Of the coefficients of (l₂, l₁) relative to those of (l₁, l₂)."""
    same = (coupling(l1, l2, l) * coupling(l2, l1, l).transpose(0, 1)).sum()
    return 1 if float(same) > 0 else -1

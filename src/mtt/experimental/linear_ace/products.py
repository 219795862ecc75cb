"""Which products of an atom's density are features: decided by the options alone.

A channel (q, l) is the q-th principal component of the density's degree l. Its importance is
1 / ((1 + q)(1 + l)^½), about as singular values of densities fall; that of a product is the product
of those of its factors, times a constant of its order. The most important ones are taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

FACTORS = (60.0, 8.0, 1.5, 0.8)
"""Of products of one to four densities: a product of few is worth more than its size says."""


class Coupled(NamedTuple):
    """Two channels coupled to degree ``l``; a pseudotensor where ``odd``."""

    l1: int
    q1: int
    l2: int
    q2: int
    l: int
    odd: int


Channel = tuple[int, int]
Vector = Channel | Coupled
Found = tuple[float, tuple[Vector, ...]]
"""A product, after its importance."""


@dataclass
class Contraction:
    """Features that are inner products of two vectors of the degree ``l`` and one parity.

    The vectors are the channels of the density (of even parity), then ``coupled`` ones.

    :param first: number of one vector, per feature.
    :param second: of the other one.
    """

    l: int
    odd: int
    coupled: list[Coupled] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    second: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Products:
    """All features of an atom.

    :param channels: of each degree.
    :param single: channels of degree 0 that are features themselves.
    """

    channels: list[int]
    single: int
    contractions: list[Contraction]

    @property
    def n_features(self) -> int:
        return self.single + sum(len(one.first) for one in self.contractions)


def choose_products(available: Sequence[int], n_features: int, order: int) -> Products:
    """The ``n_features`` most important products of up to ``order`` densities, or all there are.

    :param available: channels that there are of each degree.
    """
    return _arranged(_most_important(tuple(available), n_features, order), available)


@lru_cache(maxsize=8)  # models of the same options are made again and again
def _most_important(
    available: tuple[int, ...], n_features: int, order: int
) -> tuple[tuple[Vector, ...], ...]:
    channels = sorted(
        ((l, q) for l, n in enumerate(available) for q in range(n)), key=_by_importance
    )
    found: list[Found] = []
    least, before = 1.0, -1
    while len(found) < n_features and (least > 1e-4 or len(found) > before):
        least, before = least / 1.5, len(found)
        found = list(_products(channels, len(available) - 1, order, least))
    found.sort(key=lambda one: -one[0])
    return tuple(one[1] for one in found[:n_features])


def importance(l: int, q: int) -> float:
    """Of the channel number q, from 0, of degree l."""
    return 1.0 / ((1 + q) * math.sqrt(1 + l))


def _by_importance(channel: Channel) -> tuple[float, int, int]:
    return -importance(*channel), *channel


def _of(one: Coupled) -> float:
    return importance(one.l1, one.q1) * importance(one.l2, one.q2)


def _products(
    channels: Sequence[Channel], highest: int, order: int, least: float
) -> Iterator[Found]:
    """All that are worth ``least``."""
    for l, q in channels:
        if l == 0 and FACTORS[0] * importance(l, q) >= least:
            yield FACTORS[0] * importance(l, q), ((l, q),)
    for i, one in enumerate(channels if order > 1 else []):
        for other in channels[i:]:
            size = FACTORS[1] * importance(*one) * importance(*other)
            if size < least:
                break
            if one[0] == other[0]:
                yield size, (one, other)
    if order > 2:
        coupled = _coupled(channels, highest, least / max(FACTORS[2:]))
        yield from _triple(coupled, channels, least)
        if order > 3:
            yield from _quadruple(coupled, least)


def _coupled(channels: Sequence[Channel], highest: int, least: float) -> list[Coupled]:
    found = []
    for i, one in enumerate(channels):
        for other in channels[i:]:
            if importance(*one) * importance(*other) < least:
                break
            first, second = sorted((one, other))
            for l in range(second[0] - first[0], min(first[0] + second[0], highest) + 1):
                odd = (first[0] + second[0] + l) % 2
                if not (odd and first == second):
                    found.append(Coupled(*first, *second, l, odd))
    return sorted(found, key=lambda one: (-_of(one), one))


def _triple(
    coupled: Sequence[Coupled], channels: Sequence[Channel], least: float
) -> Iterator[Found]:
    for one in coupled:
        factor = FACTORS[2] * _of(one)
        if factor < least:
            return
        for l, q in channels:
            size = factor * importance(l, q)
            # each product of three once: its factors ascend
            if size >= least and not one.odd and l == one.l and (l, q) >= (one.l2, one.q2):
                yield size, ((l, q), one)


def _quadruple(coupled: Sequence[Coupled], least: float) -> Iterator[Found]:
    for one in coupled:
        factor = FACTORS[3] * _of(one)
        for other in coupled:
            size = factor * _of(other)
            if size < least:
                break
            same = one.l == other.l and one.odd == other.odd
            if same and (other.l1, other.q1) >= (one.l2, one.q2):
                yield size, (one, other)


def _arranged(chosen: Sequence[tuple[Vector, ...]], available: Sequence[int]) -> Products:
    used = [0] * len(available)
    single = 0
    for product in chosen:
        for vector in product:
            parts = [vector[:2], vector[2:4]] if isinstance(vector, Coupled) else [vector]
            for l, q in parts:
                used[l] = max(used[l], q + 1)
        single += len(product) == 1
    contractions: dict[tuple[int, int], Contraction] = {}
    places: dict[Coupled, int] = {}
    pairs = [product for product in chosen if len(product) == 2]
    for product in pairs:
        for vector in product:
            l, odd = (vector.l, vector.odd) if isinstance(vector, Coupled) else (vector[0], 0)
            one = contractions.setdefault((l, odd), Contraction(l, odd))
            if isinstance(vector, Coupled) and vector not in places:
                places[vector] = len(one.coupled)
                one.coupled.append(vector)
    for one in contractions.values():  # those of the same two degrees side by side
        one.coupled.sort(key=lambda v: (v.l1, v.l2, v.q1, v.q2))
        places |= {vector: place for place, vector in enumerate(one.coupled)}

    def number(vector: Vector) -> int:
        if isinstance(vector, Coupled):
            return places[vector] + (0 if vector.odd else used[vector.l])
        return vector[1]

    for product in pairs:
        first, second = sorted(number(vector) for vector in product)
        any_ = product[0]
        key = (any_.l, any_.odd) if isinstance(any_, Coupled) else (any_[0], 0)
        contractions[key].first.append(first)
        contractions[key].second.append(second)
    return Products(used, single, [contractions[key] for key in sorted(contractions)])

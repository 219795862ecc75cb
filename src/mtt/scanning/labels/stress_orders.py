"""In which order and with which signs the components of stresses explain how energies change.

Every way of reading the six numbers is held against the same steps. Those that explain them
about as well as the best one stay possible; what they disagree on, the data do not decide.
"""

from __future__ import annotations

from itertools import permutations, product
from typing import NamedTuple

import numpy as np

from mtt.scanning.tools.regression import FEWEST, Fit, fit
from mtt.scanning.tools.steps import Steps
from mtt.scanning.tools.structures import Float

COMPONENTS = ("xx", "yy", "zz", "yz", "xz", "xy")
_SHEAR = (3, 4, 5)
_GIVEN = (8.0, 1.5)  # log likelihood by which the best way of reading excels an excluded one, and
_SHEARED = (5.0, 1.3)  # times the squares that the excluded one leaves over: the one as given,
_MIXED = (3.0, 1.15)  # those of other shear, and those of other normal components, a rare mistake
_SURE = 0.8  # of partial correlations, at least
_MAD = 1.4826  # from median of deviations to standard deviation


class Reading(NamedTuple):
    """Where in the given six numbers each component is, and its sign up to that of its part."""

    source: tuple[int, ...]
    signs: tuple[int, ...]

    @property
    def shear(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Source and signs of the shear components alone."""
        return self.source[3:], self.signs[3:]

    @property
    def is_given(self) -> bool:
        """Whether the order is as given, up to a sign of all normal or all shear components."""
        plain = self.source == (0, 1, 2, 3, 4, 5)
        return plain and len(set(self.signs[:3])) == len(set(self.signs[3:])) == 1

    def times(self, normal: float, shear: float) -> Reading:
        """With the signs of these for each part."""
        parts = [-1 if normal < 0 else 1] * 3 + [-1 if shear < 0 else 1] * 3
        signs = tuple(s * p for s, p in zip(self.signs, parts, strict=True))
        return Reading(self.source, signs)

    @property
    def order(self) -> str:
        """The components that the given numbers are: ``xx yy zz xy yz xz``."""
        names = [""] * 6
        for component, slot in enumerate(self.source):
            names[slot] = COMPONENTS[component]
        return " ".join(names)

    def work(self, by_part: Float) -> Float:
        """[m, 6] of each component, read like this."""
        work: Float = by_part[:, self.source, range(6)] * np.array(self.signs)
        return work

    def read(self, labels: Float, shear: float) -> Float:
        """[m, 6] the components of the given numbers ``labels``, shear times ``shear``."""
        signs = np.array(self.signs) * np.array([1.0, 1.0, 1.0, shear, shear, shear])
        components: Float = labels[:, self.source] * signs
        return components


AS_GIVEN = Reading((0, 1, 2, 3, 4, 5), (1,) * 6)
_ROWS = ((0, 3, 5, 4, 2, 1), (0, 2, 5, 4, 3, 1))  # of the upper and of the lower triangle


def _readings() -> list[Reading]:
    """Shear in all orders with all signs, the others in all orders or one reversed, rows."""
    plus = (1, 1, 1)
    signs = [plus, (-1, 1, 1), (1, -1, 1), (1, 1, -1)]  # up to a sign of all three
    found = [
        Reading((0, 1, 2, *order), (*plus, *sign))
        for order, sign in product(permutations(_SHEAR), signs)
    ]
    found += [Reading((*order, *_SHEAR), (1,) * 6) for order in permutations((0, 1, 2))][1:]
    found += [Reading(AS_GIVEN.source, (*sign, *plus)) for sign in signs[1:]]
    found += [Reading(order, (1,) * 6) for order in _ROWS]
    assert found[0] == AS_GIVEN
    return found


READINGS = _readings()
_PLAIN = AS_GIVEN.source[:3], AS_GIVEN.signs[:3]
_LEAST = np.array(
    [_SHEARED if (one.source[:3], one.signs[:3]) == _PLAIN else _MIXED for one in READINGS]
)
_LEAST[0] = _GIVEN
CHOICE = np.zeros((len(READINGS), 36, 2))  # from products to the work of normal and shear parts
for _k, _reading in enumerate(READINGS):
    for _b, (_a, _sign) in enumerate(zip(_reading.source, _reading.signs, strict=True)):
        CHOICE[_k, 6 * _a + _b, int(_b in _SHEAR)] += _sign


class Decision(NamedTuple):
    """The interpretation of the stress by some steps.

    :param reading: the one that explains them best; as given, if that is as good.
    :param possible: all that are about as good, with their own signs of normal and shear parts;
        several if the data do not decide.
    :param open: components on which these disagree, or that do no work; of 0 … 5.
    :param normal: slope of the work of xx, yy and zz, read like this.
    :param shear: of yz, xz and xy.
    :param both: of all.
    :param explained: of all, normal and shear parts weighted as fits best.
    :param given: of all, read as given.
    :param weights: [3] of the work of forces, normal and shear components.
    :param left_out: [m] steps that are far off.
    :param is_minority: steps that are far off others are judged by themselves.
    """

    reading: Reading
    possible: tuple[Reading, ...]
    open: frozenset[int]
    normal: Fit
    shear: Fit
    both: Fit
    explained: Fit
    given: Fit
    weights: Float
    left_out: Float
    is_minority: bool = False

    @property
    def signed(self) -> Reading:
        """The reading with the signs of its parts; those of open components mean nothing."""
        return self.reading.times(self.normal.slope, self.shear.slope)

    @property
    def is_given_possible(self) -> bool:
        return any(one.is_given for one in self.possible)

    @property
    def is_sure(self) -> bool:
        return self.explained.is_sure

    @property
    def n_open(self) -> int:
        """Undecided components; more than all if none is decided."""
        return len(self.open) if self.is_sure else 7


def decide(found: Steps, by_part: Float) -> Decision | None:
    """Compare all readings with the steps ``found``; None if these are too few.

    Three numbers are fitted for each: of the work of forces, of normal and of shear components.

    :param by_part: [m, 6, 6] as in ``found``, or times something.
    """
    if len(found.first) < FEWEST:
        return None
    forces = np.nan_to_num(found.by_forces)[:, None]
    columns = np.concatenate([forces, by_part.reshape(-1, 36), found.change[:, None]], axis=1)
    keep = np.ones(len(columns), dtype=bool)
    off = np.abs(_residual(columns, keep, _best(_squares_left(columns)[0])))
    far = off > max(8.0 * _MAD * float(np.median(off)), 1e-12)
    if (~far).sum() >= FEWEST:
        keep = ~far
    rest, weights = _squares_left(columns[keep])
    n = _independent(found, keep)
    floor = 1e-12 * float(columns[keep, -1] @ columns[keep, -1]) + 1e-300
    ratio = (rest + floor) / (rest.min() + floor)
    excluded = (0.5 * n * np.log(ratio) > _LEAST[:, 0]) & (ratio > _LEAST[:, 1])
    best = int(rest.argmin()) if excluded[0] else 0
    possible = tuple(READINGS[k].times(*weights[k, 1:]) for k in np.flatnonzero(~excluded))
    return _decision(found, by_part, keep, READINGS[best], possible, n)


def _decision(
    found: Steps,
    by_part: Float,
    keep: Float,
    reading: Reading,
    possible: tuple[Reading, ...],
    n: int,
) -> Decision:
    change, forces = found.change[keep], np.nan_to_num(found.by_forces)[keep]
    work = reading.work(by_part[keep])
    parts = work[:, :3].sum(axis=1), work[:, 3:].sum(axis=1)
    normal, shear = (
        fit(change, part, np.stack([forces, other], axis=1), n, trim=False)
        for part, other in (parts, parts[::-1])
    )
    sign = float(np.sign(normal.slope)) or 1.0
    turned = sign * float(np.sign(shear.slope)) if shear.is_sure else 1.0
    both = fit(change, parts[0] + turned * parts[1], forces, n, trim=False)
    given = fit(change, by_part[keep].trace(axis1=1, axis2=2), forces, n, trim=False)
    inputs = np.stack([forces, *parts], axis=1)
    weights = np.linalg.lstsq(inputs, change, rcond=None)[0]
    explained = fit(change, inputs[:, 1:] @ weights[1:], forces, n, trim=False)
    signed = reading.times(normal.slope, shear.slope)
    unclear = {
        b
        for one in possible
        for b in range(6)
        if (one.source[b], one.signs[b]) != (signed.source[b], signed.signs[b])
    }
    for part, members in ((normal, range(3)), (shear, _SHEAR)):
        unclear |= set() if part.is_sure else set(members)
    return Decision(
        reading, possible, frozenset(unclear), normal, shear, both, explained, given, weights, ~keep
    )


def _best(rest: Float) -> int:
    """The reading with the smallest residual; as given, if that is as good."""
    return 0 if rest[0] <= rest.min() * (1 + 1e-6) else int(rest.argmin())


def _squares_left(columns: Float) -> tuple[Float, Float]:
    """[readings] sums of squares, and [readings, 3] weights of forces, normal and shear work."""
    gram = columns.T @ columns
    products = slice(1, 37)
    choice = np.swapaxes(CHOICE, 1, 2)
    normal = np.zeros((len(READINGS), 3, 3))
    normal[:, 0, 0] = gram[0, 0]
    normal[:, 0, 1:] = normal[:, 1:, 0] = choice @ gram[products, 0]
    normal[:, 1:, 1:] = choice @ gram[products, products] @ CHOICE
    right = np.zeros((len(READINGS), 3))
    right[:, 0], right[:, 1:] = gram[0, -1], choice @ gram[products, -1]
    solution = np.einsum("hij,hj->hi", np.linalg.pinv(normal, rcond=1e-12, hermitian=True), right)
    return np.maximum(gram[-1, -1] - (solution * right).sum(axis=1), 0.0), solution


def _residual(columns: Float, keep: Float, reading: int) -> Float:
    """[m] of all steps, fitted to those that are kept."""
    inputs = np.concatenate([columns[:, :1], columns[:, 1:37] @ CHOICE[reading]], axis=1)
    weights = np.linalg.lstsq(inputs[keep], columns[keep, -1], rcond=None)[0]
    residual: Float = columns[:, -1] - inputs @ weights
    return residual


def _independent(found: Steps, keep: Float) -> int:
    """How many independent changes there are: at most one less than structures."""
    structures = np.unique(np.concatenate([found.first[keep], found.second[keep]]))
    return max(min(int(keep.sum()), len(structures) - 1), 0)

"""In which order and with which signs stresses agree with those of a fit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtt.scanning.fit.fitted import slope_of
from mtt.scanning.labels.stress_orders import READINGS, Reading
from mtt.scanning.tools.structures import Float

SURE = 0.8  # R² of the best reading, at least
_PART = 0.6  # and of a component alone, where it is judged
_LIKELY = 8.0  # log likelihood by which another reading excels the one as given,
_WORSE = 1.5  # and times the squares that the one as given leaves over
_MOOT = 1.15  # readings that leave so many times the squares of the best are possible as well


class Judged(NamedTuple):
    """The reading of six numbers that a fit supports.

    :param given: R² as given; ``best`` of the best reading.
    :param possible: readings that are about as good as the best, with the signs of their parts.
    :param slope: of predictions by labels, read best.
    """

    given: float
    best: float
    is_given: bool
    possible: tuple[Reading, ...]
    slope: float
    open: frozenset[int]


def judge(labels: Float, predicted: Float) -> Judged:
    """Hold all readings of [m, 6] ``labels`` against [m, 6] predictions.

    A fit may be off by the same pressure everywhere, where all structures have one cell: what
    differs between structures is looked at as well, and the shear components by themselves.
    """
    views = []
    for shear_alone in (False, True):
        for centred in (False, True):
            middle = (labels.mean(axis=0), predicted.mean(axis=0)) if centred else (0.0, 0.0)
            views.append(_judge(labels - middle[0], predicted - middle[1], shear_alone))
    sure = [one for one in views if one.best >= SURE]
    # of two views the one that sees a mistake is the better one
    return next((one for one in sure if not one.is_given), sure[0] if sure else views[0])


def _judge(labels: Float, predicted: Float, shear_alone: bool) -> Judged:
    used = slice(3, 6) if shear_alone else slice(0, 6)
    total = float((predicted[:, used] ** 2).sum()) + 1e-300
    left, readings = [], []
    for reading in READINGS:
        for shear in (1.0, -1.0):
            read = reading.read(labels, shear)[:, used]
            squares = float((read**2).sum())
            product = float((read * predicted[:, used]).sum())
            left.append(total - product**2 / squares if squares > 0 else total)
            sign = 1.0 if product >= 0 else -1.0
            readings.append(reading.times(sign, sign * shear))
    rest = np.maximum(np.array(left), 1e-12 * total)
    best = int(rest.argmin())
    n = (3 if shear_alone else 6) * len(labels) / 2  # numbers of a structure are not independent
    # reversed as a whole is a matter of sign, as given or not
    given = 0
    ratio = rest[given] / rest[best]
    excelled = 0.5 * n * np.log(ratio) > _LIKELY and ratio > _WORSE
    chosen = best if excelled else given
    near = np.flatnonzero(rest < _MOOT * rest[best]) if excelled else np.array([given])
    possible = [_shear_part(readings[k]) if shear_alone else readings[k] for k in near]
    read = readings[chosen].read(labels, 1.0)[:, used]
    size = abs(slope_of(read.ravel(), predicted[:, used].ravel())[0])
    reversed_ = not excelled and readings[given].signs[3] < 0
    return Judged(
        1 - rest[given] / total,
        1 - rest[chosen] / total,
        not excelled,
        tuple(dict.fromkeys(possible)),
        -size if reversed_ else size,
        _undecided(labels, predicted, readings[chosen])
        | (frozenset({0, 1, 2}) if shear_alone else frozenset()),
    )


def _shear_part(reading: Reading) -> Reading:
    """With the other components as they are given."""
    return Reading((0, 1, 2, *reading.source[3:]), (1, 1, 1, *reading.signs[3:]))


def _undecided(labels: Float, predicted: Float, reading: Reading) -> frozenset[int]:
    """Components of which the fit says too little to judge them."""
    read = reading.read(labels, 1.0)
    return frozenset(b for b in range(6) if slope_of(read[:, b], predicted[:, b])[1] < _PART)

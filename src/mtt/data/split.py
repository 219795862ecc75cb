"""Which structures train, validate and test: metatrain's rule, so that a seed gives its split.

All random splits draw from one stream, numpy's legacy generator with the seed of the run:
first the validation part of every data set in turn, then the test part of every data set in
turn. Each draw shuffles the positions ``0 … n-1`` of what is left of that data set and holds
out the last ``floor(n * held / (kept + held))`` of them, where ``kept`` is what the fractions
leave for training. A fraction of 0 shuffles as well.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mtt.errors import DataError, Problem

Part = float | Sequence[int] | None
"""A fraction, indices of structures, or None for a part with separate data."""

_SHOWN = 6  # sizes of data sets in a message


class Split(NamedTuple):
    """Indices of structures, one list per data set; empty lists where a part has none."""

    train: list[list[int]]
    validation: list[list[int]]
    test: list[list[int]]


def split(
    sizes: Sequence[int],
    validation: Part,
    test: Part,
    seed: int,
    train: Sequence[int] | None = None,
) -> Split:
    """Divide data sets of ``sizes`` structures. numpy's global generator is not touched.

    Structures that are named by indices are set aside first; fractions then divide the others.
    Indices go with a single data set.

    :param train: structures that may train, in this order; None: all.
    :raises DataError: a part that is asked for is empty; indices outside the data set, twice,
        or in two parts; fractions that leave nothing.
    """
    _check_indices(sizes, {"training": train, "validation": validation, "test": test})
    named = {*_indices(validation), *_indices(test)}
    rest = [[i for i in range(n) if i not in named] for n in sizes]
    if train is not None:
        rest = [list(train)]
    stream = np.random.RandomState(seed)
    kept = 1.0
    parts = []
    for name, part in (("validation", validation), ("test", test)):
        if isinstance(part, float | int):
            kept -= part
            _check_fraction(name, part, kept)
            rest, held = _hold_out(rest, kept, float(part), stream)
            _check_held(name, part, sizes, held)
        else:
            held = [list(_indices(part)) for _ in sizes]
        parts.append(held)
    for number, (left, size) in enumerate(zip(rest, sizes, strict=True)):
        if not left:
            of = f"data set {number}, which has {size}" if len(sizes) > 1 else f"{size}"
            what = f"no structures are left for training, of {of}"
            raise DataError(what, where="training_set", hint="hold out fewer of them")
    return Split(rest, parts[0], parts[1])


def _hold_out(
    sets: list[list[int]], kept: float, held: float, stream: np.random.RandomState
) -> tuple[list[list[int]], list[list[int]]]:
    """Each set shuffled and divided; sums and quotients in this order, for equal rounding."""
    keeping, holding = [], []
    share = held / (kept + held)
    for structures in sets:
        order = list(range(len(structures)))
        stream.shuffle(order)
        stop = len(order) - math.floor(len(order) * share)
        keeping.append([structures[i] for i in order[:stop]])
        holding.append([structures[i] for i in order[stop:]])
    return keeping, holding


def _indices(part: Part) -> Sequence[int]:
    return () if part is None or isinstance(part, float | int) else part


def _check_held(
    name: str, part: float, sizes: Sequence[int], held: Sequence[Sequence[int]]
) -> None:
    """A data set may be too small to give one structure; not all of them."""
    if part > 0.0 and not any(held):
        hint = "take a larger fraction, or give the set its own file"
        if len(sizes) <= _SHOWN:
            what = f"{part:g} of {' + '.join(map(str, sizes))} structures is less than one"
        else:
            what = f"{part:g} of each of {len(sizes)} data sets, of at most {max(sizes)} "
            what += f"structure{'s' * (max(sizes) > 1)}, is less than one"
            hint += "; files that are listed in one read_from are divided as one"
        raise DataError(f"the {name} set is empty: {what}", where=f"{name}_set", hint=hint)


def _check_fraction(name: str, part: float, kept: float) -> None:
    if not 0.0 <= part < 1.0:
        raise DataError(f"the fraction {part:g} is not in 0 … 1", where=f"{name}_set")
    if kept <= 0.0:
        what = f"nothing is left for training: the fractions add up to {1.0 - kept:g}"
        raise DataError(what, where=f"{name}_set", hint="hold out less than all structures")


def _check_indices(sizes: Sequence[int], parts: dict[str, Part]) -> None:
    problems: list[Problem] = []
    owner: dict[int, str] = {}
    for name, part in parts.items():
        indices, where = _indices(part), f"{name}_set.indices"
        if part is not None and not isinstance(part, float | int) and not indices:
            problems.append(Problem("no indices: the set is empty", where))
        if indices and len(sizes) != 1:
            problems.append(Problem(f"indices, but {len(sizes)} training sets", where))
            continue
        outside = [i for i in indices if not 0 <= i < sizes[0]]
        twice = [i for i, count in Counter(indices).items() if count > 1]
        shared = [i for i in dict.fromkeys(indices) if i in owner]
        for found, what in (
            (outside, f"not in 0 … {sizes[0] - 1}"),
            (twice, "named more than once"),
            (shared, f"in the {owner[shared[0]]} set, too" if shared else ""),
        ):
            if found:
                problems.append(Problem(f"{found[:5]} ({len(found)} in all): {what}", where))
        owner |= dict.fromkeys(indices, name)
    if problems:
        raise DataError.collect(problems)

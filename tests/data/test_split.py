"""Splits, against metatrain's rule written again in plain numpy."""

from __future__ import annotations

import functools
import math
import operator

import numpy as np
import pytest

from mtt.data.split import split
from mtt.errors import DataError


def rule(sizes: list[int], validation: float, test: float, seed: int) -> list[list[list[int]]]:
    """The rule as metatrain runs it, on numpy's global generator."""
    state = np.random.get_state()
    np.random.seed(seed)
    train = [np.arange(n) for n in sizes]
    parts = []
    kept = 1.0
    for held in (validation, test):
        kept -= held
        part = []
        for i, structures in enumerate(train):
            n_held = math.floor(len(structures) * (held / (kept + held)))
            order = list(range(len(structures)))
            np.random.shuffle(order)
            cut = len(order) - n_held
            part.append(structures[order[cut:]].tolist())
            train[i] = structures[order[:cut]]
        parts.append(part)
    np.random.set_state(state)
    return [[structures.tolist() for structures in train], *parts]


@pytest.mark.parametrize("sizes", [[10], [500], [37, 4, 100]])
@pytest.mark.parametrize("fractions", [(0.1, 0.0), (0.1, 0.1), (0.2, 0.35), (1 / 3, 1 / 3)])
def test_fractions_follow_metatrains_rule(sizes: list[int], fractions: tuple[float, float]) -> None:
    for seed in (0, 42, 2**32 - 1):
        found = split(sizes, *fractions, seed)
        assert [found.train, found.validation, found.test] == rule(sizes, *fractions, seed)
        for n, *parts in zip(sizes, *found, strict=True):
            assert sorted(functools.reduce(operator.iadd, parts, [])) == list(range(n))


def test_a_known_split_stays_as_it_is() -> None:
    found = split([10], 0.2, 0.1, seed=0)
    assert found == ([[9, 8, 4, 3, 6, 2, 7]], [[0, 5]], [[1]])


def test_the_global_generator_is_not_touched() -> None:
    before = np.random.get_state()[1].copy()
    split([20], 0.1, 0.1, seed=1)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_a_part_with_separate_data_draws_nothing() -> None:
    both = split([20], None, 0.25, seed=3)
    assert both.validation == [[]]
    assert both.test == rule([20], 0.0, 0.25, 3)[2] or len(both.test[0]) == 5
    order = list(range(20))
    np.random.RandomState(3).shuffle(order)
    assert (both.train, both.test) == ([order[:15]], [order[15:]])
    assert split([3, 2], None, None, seed=0) == ([[0, 1, 2], [0, 1]], [[], []], [[], []])


def test_indices_set_structures_aside() -> None:
    found = split([6], [4, 0], [5], seed=0)
    assert found == ([[1, 2, 3]], [[4, 0]], [[5]])
    found = split([6], [4, 0], None, seed=0, train=[3, 1])
    assert found == ([[3, 1]], [[4, 0]], [[]])


def test_fractions_divide_what_indices_leave() -> None:
    for found in (split([10], 0.5, [0, 9], seed=0), split([10], [0, 9], 0.5, seed=0)):
        held = found.validation[0] + found.test[0]
        assert {0, 9} < set(held)
        assert len(found.train[0]) == 4
        assert sorted(found.train[0] + held) == list(range(10))


def test_a_small_data_set_may_give_no_structure_as_long_as_another_does() -> None:
    found = split([100, 3], 0.1, 0.0, seed=0)
    assert [len(part) for part in found.validation] == [10, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ([3], 0.25, 0.0, 0),
            "validation_set: the validation set is empty: 0.25 of 3 structures",
        ),
        (
            ([1] * 9, 0.1, 0.0, 0),
            r"each of 9 data sets, of at most 1 structure, is less than one",
        ),
        (([3, 2], 0.2, 0.2, 0), r"empty: 0.2 of 3 \+ 2 structures is less than one; take a larger"),
        (([9], 0.5, 0.5, 0), "test_set: nothing is left for training: the fractions add up to 1"),
        (([9], 1.5, 0.0, 0), "the fraction 1.5 is not in 0"),
        (([2], [0, 1], None, 0), "training_set: no structures are left for training, of 2"),
        (([5], [7, -1], None, 0), r"validation_set.indices: \[7, -1\] \(2 in all\): not in 0 … 4"),
        (([5], [1, 1], None, 0), r"\[1\] \(1 in all\): named more than once"),
        (([5], [1, 2], [2], 0), r"test_set.indices: \[2\] .*: in the validation set, too"),
        (([5], [1], None, 0, [0, 1]), r"validation_set.indices: \[1\] .*in the training set, too"),
        (([5, 5], [1], None, 0), "indices, but 2 training sets"),
        (([5], [], None, 0), "no indices: the set is empty"),
    ],
)
def test_splits_that_cannot_be_are_refused_with_the_numbers(arguments: tuple, message: str) -> None:
    with pytest.raises(DataError, match=message):
        split(*arguments)

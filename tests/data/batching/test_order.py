"""Order and batches as pure functions."""

from __future__ import annotations

from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtt.data import Batching
from mtt.data.batching.order import permutation, plan
from mtt.errors import DataError


def ranks(n_atoms, batching, world_size, **options):
    """For every rank, its batches as lists of structures."""
    found = []
    for rank in range(world_size):
        one = plan(np.asarray(n_atoms), batching, rank=rank, world_size=world_size, **options)
        ends = one.sizes.cumsum()
        pieces = [one.structures[end - n : end] for end, n in zip(ends, one.sizes, strict=True)]
        found.append([piece.tolist() for piece in pieces])
    return found


def joined(lists):
    return list(chain.from_iterable(lists))


def test_the_order_of_an_epoch_never_changes():
    assert permutation(8, seed=0, epoch=0).tolist() == [3, 2, 1, 6, 0, 7, 4, 5]
    assert permutation(8, seed=0, epoch=1).tolist() == [7, 4, 5, 1, 6, 2, 0, 3]
    assert permutation(8, seed=1, epoch=0).tolist() == [2, 4, 7, 5, 0, 6, 3, 1]


def test_seeds_may_be_negative_and_large():
    assert sorted(permutation(9, -1, 0)) == sorted(permutation(9, 2**70, 10**6)) == list(range(9))


@given(
    n=st.integers(0, 60),
    structures=st.integers(1, 12),
    world_size=st.integers(1, 5),
)
def test_every_structure_comes_once_when_not_shuffled(n, structures, world_size):
    batches = ranks([3] * n, Batching(structures), world_size, shuffle=False)
    assert len({len(batches_of_rank) for batches_of_rank in batches}) == 1
    assert joined(joined(zip(*batches, strict=True))) == list(range(n))
    assert all(len(batch) <= structures for rank in batches for batch in rank)


@given(
    n_atoms=st.lists(st.integers(1, 20), max_size=40),
    world_size=st.integers(1, 4),
    epoch=st.integers(0, 3),
    shuffle=st.booleans(),
)
def test_batches_by_atoms_are_full_and_miss_nothing(n_atoms, world_size, epoch, shuffle):
    if shuffle:
        n_atoms = [20] * world_size + n_atoms  # so that there is a batch for every rank
    batches = ranks(n_atoms, Batching(atoms=20), world_size, shuffle=shuffle, epoch=epoch)
    steps = list(zip(*batches, strict=True))
    flat = [batch for step in steps for batch in step if batch]
    seen = [i for batch in flat for i in batch]
    assert len(set(seen)) == len(seen)
    if not shuffle or world_size == 1:
        assert sorted(seen) == list(range(len(n_atoms)))
    for batch, following in pairwise(flat):
        atoms = sum(n_atoms[i] for i in batch)
        assert atoms <= 20 < atoms + n_atoms[following[0]]


def test_several_ranks_see_what_one_rank_with_a_larger_batch_sees():
    together = ranks([5] * 47, Batching(12), 1, shuffle=True, seed=3, epoch=2)[0]
    apart = ranks([5] * 47, Batching(4), 3, shuffle=True, seed=3, epoch=2)
    assert [joined(step) for step in zip(*apart, strict=True)] == together


def test_a_shuffled_step_that_cannot_feed_every_rank_is_left_out():
    batches = ranks([1] * 10, Batching(2), 4, shuffle=True)
    assert [[len(batch) for batch in rank] for rank in batches] == [[2]] * 4
    assert len({i for rank in batches for batch in rank for i in batch}) == 8


def test_an_unshuffled_rank_may_get_an_empty_batch():
    assert ranks([1] * 5, Batching(1), 4, shuffle=False) == [
        [[0], [4]],
        [[1], []],
        [[2], []],
        [[3], []],
    ]


def test_fewer_structures_than_ranks_cannot_train():
    with pytest.raises(DataError, match="2 structures do not fill one batch on each of 3 ranks"):
        ranks([1, 1], Batching(4), 3, shuffle=True)


def test_a_least_number_of_atoms_that_no_batch_has_is_named():
    with pytest.raises(DataError, match=r"min_atoms_per_batch: 21 leaves no batch: of 10 .* 20 at"):
        ranks([5] * 10, Batching(structures=4, min_atoms=21), 1, shuffle=True)


def test_shuffled_batches_with_too_few_atoms_are_left_out():
    batching = Batching(structures=4, min_atoms=20)
    (shuffled,) = ranks([5] * 10, batching, 1, shuffle=True)
    (ordered,) = ranks([5] * 10, batching, 1, shuffle=False)
    assert [len(batch) for batch in shuffled] == [4, 4]
    assert [len(batch) for batch in ordered] == [4, 4, 2]


def test_a_batch_of_any_size_is_all_that_there_is():
    found = plan(np.full(7, 3), Batching(structures=10**30), shuffle=True)
    assert found.sizes.tolist() == [7]


def test_both_limits_may_be_given():
    (batches,) = ranks([2, 2, 2, 9, 9], Batching(structures=2, atoms=10), 1, shuffle=False)
    assert batches == [[0, 1], [2], [3], [4]]


@pytest.mark.parametrize("limits", [{}, {"structures": 0}, {"atoms": -1}])
def test_a_batch_needs_a_limit(limits):
    with pytest.raises(ValueError, match="positive number"):
        Batching(**limits)

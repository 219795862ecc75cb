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


LIMITS = st.one_of(
    st.builds(Batching, structures=st.integers(1, 12)),
    st.builds(Batching, atoms=st.integers(20, 60), structures=st.none() | st.integers(1, 6)),
    st.builds(Batching, structures=st.integers(1, 12), min_atoms=st.integers(0, 20)),
)


@given(
    n_atoms=st.lists(st.integers(1, 20), min_size=5, max_size=40),
    batching=LIMITS,
    world_size=st.integers(1, 5),
    epoch=st.integers(0, 3),
    shuffle=st.booleans(),
)
def test_ranks_share_the_batches_that_one_rank_has(n_atoms, batching, world_size, epoch, shuffle):
    """Whatever limits them, and whether the last one has a structure for each rank or not."""
    n_atoms = [20, *n_atoms]  # so that there is a batch
    options = {"shuffle": shuffle, "epoch": epoch, "seed": 3}
    (alone,) = ranks(n_atoms, batching, 1, **options)
    parts = ranks(n_atoms, batching, world_size, **options)
    assert [joined(step) for step in zip(*parts, strict=True)] == alone
    for step, batch in zip(zip(*parts, strict=True), alone, strict=True):
        if batching.atoms is None:
            assert max(map(len, step)) - min(map(len, step)) <= 1
        else:
            share = sum(n_atoms[i] for i in batch) / world_size
            largest = max(n_atoms[i] for i in batch)
            assert all(sum(n_atoms[i] for i in part) <= share + largest for part in step)
    if not shuffle:
        assert joined(alone) == list(range(len(n_atoms)))


@given(n_atoms=st.lists(st.integers(1, 20), min_size=1, max_size=40), epoch=st.integers(0, 3))
def test_batches_by_atoms_are_full_and_miss_nothing(n_atoms, epoch):
    (batches,) = ranks(n_atoms, Batching(atoms=20), 1, shuffle=True, epoch=epoch)
    assert sorted(joined(batches)) == list(range(len(n_atoms)))
    for batch, following in pairwise(batches):
        atoms = sum(n_atoms[i] for i in batch)
        assert atoms <= 20 < atoms + n_atoms[following[0]]


def test_a_rank_may_get_an_empty_part_of_a_batch():
    for shuffle in (False, True):
        parts = ranks([1] * 5, Batching(4), 3, shuffle=shuffle)
        sizes = [[len(part) for part in one] for one in parts]
        assert sizes == [[2, 1], [1, 0], [1, 0]]


def test_fewer_structures_than_ranks_cannot_train():
    with pytest.raises(DataError, match="2 structures to train on are fewer than the 3 ranks"):
        ranks([1, 1], Batching(4), 3, shuffle=True)
    assert ranks([1, 1], Batching(4), 3, shuffle=False) == [[[0]], [[1]], [[]]]
    with pytest.raises(DataError, match="has no structures"):
        ranks([], Batching(4), 1, shuffle=True)


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

"""Neighbour lists against brute force and ASE, with every kind of periodicity."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from mtt.data import Dataset, DatasetInfo, Frame
from mtt.errors import DataError

CUTOFF = 4.0


def bare(numbers, positions, cell, pbc, source="here"):
    return Frame(
        np.asarray(numbers),
        np.asarray(positions, dtype=float),
        np.asarray(cell, dtype=float),
        np.asarray(pbc),
        {},
        {},
        source,
    )


def data_set(*frames):
    return Dataset.from_frames(frames, DatasetInfo("angstrom", (1,), {}))


def lists_of(dataset, cutoff):
    """For every structure, rows of (centre, neighbour, shift)."""
    pairs = dataset.pairs(cutoff)
    centers, neighbors = pairs.centers.numpy(), pairs.neighbors.numpy()
    shifts = np.zeros((len(centers), 3)) if pairs.shifts is None else pairs.shifts.numpy()
    rows = np.column_stack([centers, neighbors, shifts]).astype(int)
    return [rows[a:b] for a, b in zip(pairs.offsets, pairs.offsets[1:], strict=False)]


def brute_force(frame, cutoff, reach=5):
    """All pairs within ``cutoff``, from a loop over images."""
    ranges = [range(-reach, reach + 1) if periodic else [0] for periodic in frame.pbc]
    found = []
    for shift in product(*ranges):
        images = frame.positions + np.array(shift) @ frame.cell
        distances = np.linalg.norm(images[None] - frame.positions[:, None], axis=-1)
        for i, j in np.argwhere(distances < cutoff):
            if i != j or any(shift):
                found.append((i, j, *shift))
    return sorted(found)


@pytest.mark.parametrize("pbc", list(product([False, True], repeat=3)))
def test_lists_agree_with_brute_force_for_every_combination_of_periodic_axes(pbc):
    random = np.random.default_rng(1)
    frames = []
    for _ in range(5):
        cell = random.normal(size=(3, 3)) + 4.5 * np.eye(3)
        frames.append(bare([1] * 4, random.uniform(-3, 6, (4, 3)), cell, pbc))
    for rows, frame in zip(lists_of(data_set(*frames), CUTOFF), frames, strict=True):
        assert [tuple(row) for row in rows.tolist()] == brute_force(frame, CUTOFF)


def test_lists_agree_with_ase_for_slabs_whose_cell_has_no_third_vector():
    random = np.random.default_rng(2)
    cell = np.diag([3.0, 4.0, 0.0])
    positions = random.uniform(0, 9, (12, 3))
    frame = bare([1] * 12, positions, cell, [True, True, False])
    (rows,) = lists_of(data_set(frame), CUTOFF)
    atoms = Atoms("H12", positions, cell=np.diag([3.0, 4.0, 100.0]), pbc=frame.pbc)
    i, j, shifts = neighbor_list("ijS", atoms, CUTOFF)
    assert rows.tolist() == sorted(np.column_stack([i, j, shifts]).tolist())


def test_lists_are_sorted_by_centre_neighbour_and_shift_and_hold_both_directions(
    make_frames, full_info
):
    for rows in lists_of(Dataset.from_frames(make_frames(20), full_info), CUTOFF):
        as_tuples = [tuple(row) for row in rows.tolist()]
        assert as_tuples == sorted(as_tuples)
        assert {(j, i, -a, -b, -c) for i, j, a, b, c in as_tuples} == set(as_tuples)


def test_structures_without_any_pair_have_empty_lists():
    lonely = bare([1], [[0, 0, 0]], np.zeros((3, 3)), [False] * 3)
    far = bare([1, 1], [[0, 0, 0], [9, 0, 0]], np.zeros((3, 3)), [False] * 3)
    pair = bare([1, 1], [[0, 0, 0], [1, 0, 0]], np.zeros((3, 3)), [False] * 3)
    dataset = data_set(lonely, far, pair, lonely)
    assert dataset.n_pairs(CUTOFF).tolist() == [0, 0, 2, 0]
    assert data_set(lonely, far).n_pairs(CUTOFF).tolist() == [0, 0]


def test_an_atom_sees_its_own_images_in_a_small_cell():
    frame = bare([1], [[0.3, 0, 0]], 2 * np.eye(3), [True, False, False])
    assert lists_of(data_set(frame), 4.5)[0].tolist() == [
        [0, 0, shift, 0, 0] for shift in (-2, -1, 1, 2)
    ]


def test_lists_are_computed_once_and_shared_by_all_views(make_frames, full_info):
    dataset = Dataset.from_frames(make_frames(10), full_info)
    view = dataset.select([3, 1])
    pairs = view.pairs(CUTOFF)
    assert dataset.pairs(CUTOFF) is pairs
    assert dataset.select([5]).pairs(CUTOFF) is pairs
    assert view.n_pairs(CUTOFF).tolist() == pairs.n_pairs[[3, 1]].tolist()


def test_an_atom_absurdly_far_outside_of_its_cell_is_refused():
    frame = bare([1, 1], [[0, 0, 0], [5e4, 0, 0]], np.eye(3), [True] * 3, "far.xyz, frame 3")
    with pytest.raises(DataError, match=r"far\.xyz, frame 3: .* 32767 cells .*wrap the positions"):
        data_set(frame).pairs(1.5)

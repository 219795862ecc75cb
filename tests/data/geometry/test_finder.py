"""Neighbour lists of structures that vesin does not take as they are, against brute force."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mtt.data import Dataset, DatasetInfo, Frame
from mtt.data.geometry.expected import BYTES, expected_pairs
from mtt.data.geometry.finder import Finder, Geometries
from mtt.data.memory import OutOfMemory
from mtt.errors import DataError

OPEN, SLAB, WIRE, SOLID = ([True] * k + [False] * (3 - k) for k in (0, 2, 1, 3))
NOTHING = np.zeros((3, 3))


def geometry(points: Any, cell: Any, pbc: Any) -> Geometries:
    points = np.asarray(points, dtype=float)
    return Geometries(
        points, np.array([len(points)]), np.asarray(cell, dtype=float)[None], np.array([pbc])
    )


def pairs_of(one: Geometries, cutoff: float, quantities: str = "PS") -> list[NDArray[Any]]:
    return next(Finder(cutoff, full_list=True, ordered=True).each(one, quantities, str))


def rows(one: Geometries, cutoff: float) -> list[tuple[int, ...]]:
    return sorted(map(tuple, np.hstack(pairs_of(one, cutoff)).astype(int).tolist()))


def frame(points: Any, cell: Any, pbc: Any, source: str = "here") -> Frame:
    numbers, positions = np.ones(len(points), dtype=int), np.asarray(points, dtype=float)
    return Frame(numbers, positions, np.asarray(cell, float), np.asarray(pbc), {}, {}, source)


def data_set(*frames: Frame) -> Dataset:
    return Dataset.from_frames(frames, DatasetInfo("angstrom", (1,), {}))


@pytest.mark.parametrize("pbc", [OPEN, WIRE, SLAB])
def test_lists_without_the_empty_space_are_those_with_it(pbc: list[bool]) -> None:
    random = np.random.default_rng(1)
    cell = random.normal(size=(3, 3)) + 4.0 * np.eye(3)
    points = random.uniform(0.0, 5.0, (12, 3))
    across = np.linalg.svd(cell[pbc])[2][sum(pbc) :] if any(pbc) else np.eye(3)
    near, far = points.copy(), points.copy()
    near[:6] += 8.0 * across.sum(axis=0)
    far[:6] += 9e4 * across.sum(axis=0)
    assert geometry(near, cell, pbc).plain(2.5).all()
    assert pbc == OPEN or not geometry(far, cell, pbc).plain(2.5).any()
    found = rows(geometry(far, cell, pbc), 2.5)
    assert len(found) > 12
    assert found == rows(geometry(near, cell, pbc), 2.5)


@pytest.mark.parametrize("axes", list(product([9e4, 3.0], repeat=3))[1:-1])
def test_lists_in_huge_cells_are_those_of_molecules(axes: tuple[float, ...]) -> None:
    random = np.random.default_rng(2)
    points = random.uniform(0.0, 2.9, (6, 3))
    huge = geometry(points, np.diag(axes), SOLID)
    assert not huge.plain(0.7).all()
    small = geometry(points, np.diag(np.minimum(axes, 30.0)), SOLID)
    assert small.plain(0.7).all()
    assert rows(huge, 0.7) == rows(small, 0.7)


def test_every_quantity_agrees_with_the_positions() -> None:
    points = np.array([[0.1, 0.2, 0.3], [0.1 - 9e4, 0.4, 5.8], [0.1, 0.4 + 3e4, 0.9]])
    one = geometry(points, np.diag([3.0, 3.0, 9e4]), SOLID)
    assert not one.plain(0.7).any()
    i, j, pairs, shifts, lengths, vectors = pairs_of(one, 4.0, "ijPSdD")
    assert np.array_equal(np.stack([i, j], axis=1), pairs)
    assert len(i) == len(set(map(tuple, np.hstack([pairs, shifts]).tolist()))) > 10
    assert np.allclose(points[j] - points[i] + shifts @ one.cells[0], vectors, atol=1e-9)
    assert np.allclose(np.linalg.norm(vectors, axis=1), lengths)
    assert (lengths < 4.0).all()
    half = next(Finder(4.0, full_list=False, ordered=False).each(one, "P", str))
    assert 2 * len(half[0]) == len(i)


def test_a_cutoff_far_longer_than_a_molecule_finds_all_pairs_at_once() -> None:
    points = np.random.default_rng(3).uniform(0.0, 4.0, (5, 3))
    assert len(pairs_of(geometry(points, NOTHING, OPEN), 1e6)[0]) == 20


def test_a_vacuum_of_ten_thousand_and_a_dimer_at_a_thousand_have_lists() -> None:
    dimer = frame([[0, 0, 0], [1000, 0, 0]], NOTHING, OPEN)
    flat = frame([[0, 0, 0], [1000, 1000, 0], [1000, 1000, 1]], NOTHING, OPEN)
    slab = frame([[0, 0, 0], [0, 0, 1.5]], np.diag([5, 5, 1e4]), SOLID)
    lost = frame([[0, 0, 0], [0, 0, 9e4]], np.diag([5.5, 5.5, 0]), SLAB)
    assert data_set(dimer, flat, slab, lost).n_pairs(5.0).tolist() == [0, 2, 2, 0]


def test_all_structures_that_have_no_list_are_refused_together_before_any_list() -> None:
    frames = [
        frame([[0, 0, 0], [0, 0, 1e8]], NOTHING, OPEN, "far.xyz, frame 0"),
        frame([[0, 0, 0], [0, 0, 1]], NOTHING, OPEN, "far.xyz, frame 1"),
        frame([[0, 0, 0]], np.diag([5, 5, 1e6]), SOLID, "far.xyz, frame 2"),
        frame([[0, 0, 0]], 0.01 * np.eye(3), SOLID, "far.xyz, frame 3"),
        frame([[0, 0, 0]], np.diag([3, 3, 0]), SLAB, "far.xyz, frame 4"),
        frame([[0, 0, 0], [0, 0, 2e9]], 5 * np.eye(3), SOLID, "far.xyz, frame 5"),
    ]
    with pytest.raises(DataError) as caught:
        data_set(*frames).pairs(1e4)
    found = str(caught.value).splitlines()
    assert [line.partition(": ")[::2] for line in found][:3] == [
        (
            "far.xyz, frame 0",
            "the atoms are too far apart: by 1e+08 (at most 1e+05); is an atom lost, or the unit "
            "of length wrong? Leave the structure out",
        ),
        (
            "far.xyz, frame 2",
            "the cell is too large: 1e+06 high along vector 2 (at most 1e+05); a vacuum of a few "
            "cutoffs is enough; where nothing repeats, set pbc to F",
        ),
        (
            "far.xyz, frame 3",
            "the cell is too flat: 0.01 high along vector 0 (at least 0.05); correct the cell; "
            "where nothing repeats, set pbc to F",
        ),
    ]
    assert found[3].startswith("far.xyz, frame 4: the search for neighbours within 10000 would")
    assert found[4].startswith("far.xyz, frame 5: an atom is too far from the origin: at 2e+09 (at")
    assert len(found) == 5


@pytest.fixture
def little_memory() -> Iterator[None]:
    """256 MiB for this process, at most, beyond what it has."""
    held = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + 256 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, held[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, held)


@pytest.mark.usefixtures("little_memory")
def test_a_list_that_memory_does_not_hold_is_refused_by_its_expected_length() -> None:
    tiny = frame([[0, 0, 0]], 0.06 * np.eye(3), SOLID, "tiny.xyz, frame 7")
    cluster = frame(
        np.random.default_rng(4).normal(size=(3000, 3)), NOTHING, OPEN, "c.xyz, frame 1"
    )
    few = frame([[0, 0, 0]], 0.6 * np.eye(3), SOLID)
    text = (
        r"tiny\.xyz, frame 7: about 2\.4e\+06 pairs of neighbours within 5 would take 0\.4 GiB; "
        r"this machine has .* is the cell too small, or the cutoff too long\?\n"
        r"c\.xyz, frame 1: about 8\.2e\+06 pairs of neighbours within 5 would take 1\.4 GiB"
    )
    with pytest.raises(DataError, match=text):
        data_set(tiny, few, cluster).pairs(5.0)
    assert data_set(few).n_pairs(5.0).item() > 2000


@pytest.mark.usefixtures("little_memory")
def test_memory_that_vesin_lacks_after_all_is_one_error_and_the_next_list_is_found() -> None:
    finder = Finder(5.0, full_list=True, ordered=True)
    points, box, pbc = np.zeros((1, 3)), 0.04 * np.eye(3), np.array(SOLID)
    with pytest.raises(OutOfMemory, match="one: no memory is left for the neighbour list; this"):
        finder._run(finder._vesin, points, box, pbc, "PS", "one")
    assert len(pairs_of(geometry([[0, 0, 0], [0, 0, 1]], NOTHING, OPEN), 5.0)[0]) == 2


@pytest.mark.parametrize(
    ("width", "cell", "pbc", "cutoff"),
    [
        (20.0, NOTHING, OPEN, 5.0),
        (18.0, 18.0 * np.eye(3), SOLID, 5.0),
        (15.0, [[15, 0, 0], [7, 15, 0], [3, 5, 14.0]], SLAB, 6.0),
        (4.0, 4.0 * np.eye(3), [True, False, True], 6.0),
        (2.0, 100.0 * np.eye(3), SOLID, 5.0),
    ],
)
def test_the_expected_number_of_pairs_is_that_of_the_list(
    width: float, cell: Any, pbc: list[bool], cutoff: float
) -> None:
    points = np.random.default_rng(5).uniform(0.0, width, (300, 3))
    found = len(pairs_of(geometry(points, cell, pbc), cutoff)[0])
    expected = expected_pairs(points, np.asarray(cell, dtype=float), np.array(pbc), cutoff)
    assert expected == pytest.approx(found, rel=0.1)
    assert BYTES > 100

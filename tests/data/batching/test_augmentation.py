"""Random turns: orthogonal, uniform, and a pure function of seed, epoch and structure."""

from __future__ import annotations

from math import factorial, prod

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.stats import kstest

from mtt.data.batching.augmentation import Augmentation, make_turns, rotations

MANY = 100_000


def matrices(kind: Augmentation, n: int, seed: int = 0, epoch: int = 0) -> torch.Tensor:
    turns = make_turns(kind, n, seed, epoch)
    assert turns is not None
    return turns(np.arange(n))


@pytest.mark.parametrize("kind", ["so3", "o3"])
def test_turns_are_orthogonal(kind: Augmentation) -> None:
    turns = matrices(kind, 1000)
    assert turns.dtype == torch.float64
    unit = torch.eye(3, dtype=torch.float64).expand(1000, 3, 3)
    torch.testing.assert_close(turns @ turns.mT, unit, rtol=0, atol=2e-15)
    handed = torch.linalg.det(turns)
    torch.testing.assert_close(handed.abs(), torch.ones(1000).double(), rtol=0, atol=2e-15)
    assert bool((handed > 0).all()) == (kind == "so3")


def test_half_of_the_turns_of_o3_are_those_of_so3_with_inversion() -> None:
    proper, all_ = matrices("so3", MANY), matrices("o3", MANY)
    inverted = torch.linalg.det(all_) < 0
    assert torch.equal(all_, torch.where(inverted[:, None, None], -proper, proper))
    assert abs(int(inverted.sum()) - MANY / 2) < 4 * (MANY / 4) ** 0.5
    # whether one is inverted has nothing to do with the rotation, nor with the one before
    trace = proper.diagonal(dim1=1, dim2=2).sum(1)
    sign = torch.where(inverted, -1.0, 1.0).double()
    for other in (trace, sign.roll(1)):
        assert abs(float((sign * other).mean())) < 5 / MANY**0.5


def test_turns_are_those_of_their_quaternions() -> None:
    uniform = np.random.default_rng(3).random((200, 3))
    u, v, w = uniform.T
    wide, narrow = np.sqrt(u), np.sqrt(1 - u)
    quaternions = np.stack(
        [
            narrow * np.sin(2 * np.pi * v), narrow * np.cos(2 * np.pi * v),
            wide * np.sin(2 * np.pi * w), wide * np.cos(2 * np.pi * w),
        ], axis=1,
    )  # fmt: skip
    expected = Rotation.from_quat(quaternions).as_matrix()
    np.testing.assert_allclose(rotations(uniform), expected, rtol=0, atol=1e-14)


def even_moment(powers: NDArray[np.int64]) -> float:
    """Mean of the product of even powers of the components of a uniform unit vector."""
    double = [factorial(int(p)) / (2 ** (p // 2) * factorial(p // 2)) for p in powers]
    total = int(powers.sum())
    return prod(double) / prod(range(3, total + 2, 2))


@pytest.mark.parametrize("kind", ["so3", "o3"])
def test_moments_of_the_matrices_are_those_of_the_haar_measure(kind: Augmentation) -> None:
    """Collins and Śniady, Commun. Math. Phys. 264 (2006) 773, for three dimensions."""
    turns = matrices(kind, MANY, seed=1).numpy()

    def agrees(samples: NDArray[np.float64], mean: float) -> None:
        error = samples.std() / MANY**0.5
        assert abs(samples.mean() - mean) < 5 * error, (samples.mean(), mean, error)

    flat = turns.reshape(MANY, 9)
    for i in range(9):
        agrees(flat[:, i], 0.0)
        for j in range(i, 9):
            agrees(flat[:, i] * flat[:, j], 1 / 3 if i == j else 0.0)
    for lines in (turns, turns.transpose(0, 2, 1)):  # rows and columns are uniform directions
        for i in range(3):
            for powers in ([4, 0, 0], [2, 2, 0], [0, 2, 4], [2, 2, 2], [0, 6, 0]):
                agrees((lines[:, i] ** powers).prod(1), even_moment(np.array(powers)))
    agrees(turns[:, 0, 0] ** 2 * turns[:, 1, 1] ** 2, 2 / 15)
    agrees(turns[:, 0, 0] * turns[:, 1, 1] * turns[:, 0, 1] * turns[:, 1, 0], -1 / 30)
    third = turns[:, 0, 0] * turns[:, 1, 1] * turns[:, 2, 2]
    agrees(third, 1 / 6 if kind == "so3" else 0.0)


def test_the_angle_of_rotation_has_its_density() -> None:
    """(1 - cos θ) / π on [0, π], and the axis is uniform."""
    vectors = Rotation.from_matrix(matrices("so3", 20_000, seed=2).numpy()).as_rotvec()
    angle = np.linalg.norm(vectors, axis=1)
    assert kstest(angle, lambda x: (x - np.sin(x)) / np.pi).pvalue > 0.01
    for height in (vectors / angle[:, None]).T:  # Archimedes: uniform on [-1, 1]
        assert kstest(height, lambda x: (x + 1) / 2).pvalue > 0.01


def test_a_turn_follows_from_seed_epoch_and_structure_alone() -> None:
    turns = make_turns("o3", 50, 7, 3)
    assert turns is not None
    some = np.array([31, 4, 4, 49])
    assert torch.equal(turns(some), turns(np.arange(50))[some])
    assert torch.equal(matrices("o3", 50, 7, 3), matrices("o3", 5000, 7, 3)[:50])
    # the stream must never change, or runs that go on would differ
    assert turns.draws[:2].tolist() == [
        [1873369770, 2478563269, 3278687943, 1973477542],
        [1410169208, 1480918561, 2207401127, 2898301236],
    ]


def test_every_structure_epoch_and_seed_has_a_different_rotation() -> None:
    found = [matrices("so3", 200, seed, epoch) for seed in (0, 1, -1) for epoch in (0, 1, 2)]
    traces = torch.cat(found).diagonal(dim1=1, dim2=2).sum(1)
    assert len(traces.unique()) == len(traces)
    for i, one in enumerate(found):
        for other in (*found[:i], one.roll(1, 0)):
            assert abs(float((one * other).sum((1, 2)).mean())) < 5 / 200**0.5


def test_none_makes_no_turns() -> None:
    assert make_turns("none", 10, 0, 0) is None


def test_an_unknown_group_of_rotations_is_refused() -> None:
    with pytest.raises(KeyError):
        make_turns("O3", 10, 0, 0)  # type: ignore[arg-type]

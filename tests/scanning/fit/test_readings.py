"""Which reading of six stresses agrees with those of a fit."""

from __future__ import annotations

import numpy as np
import pytest

from mtt.scanning.fit.readings import Judged, judge


def stresses(n: int = 30, pressure: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """True ones, and those of a fit that is off by some noise."""
    generator = np.random.default_rng(8)
    true = generator.normal(0.0, 0.1, (n, 6)) + pressure * np.array([1, 1, 1, 0, 0, 0])
    return true, true + generator.normal(0.0, 0.02, (n, 6))


def orders(found: Judged) -> set[str]:
    return {one.order for one in found.possible}


def test_right_stresses_agree() -> None:
    found = judge(*stresses())
    assert found.is_given
    assert found.slope == pytest.approx(1.0, abs=0.05)
    assert found.best > 0.9
    assert not found.open


@pytest.mark.parametrize(
    ("given", "order"),
    [
        ([0, 1, 2, 4, 3, 5], "xx yy zz xz yz xy"),
        ([0, 1, 2, 5, 3, 4], "xx yy zz xy yz xz"),
        ([0, 5, 4, 1, 3, 2], "xx xy xz yy yz zz"),
        ([1, 0, 2, 3, 4, 5], "yy xx zz yz xz xy"),
    ],
)
def test_components_in_another_order_are_recognised(given: list[int], order: str) -> None:
    true, fitted = stresses()
    found = judge(true[:, given], fitted)
    assert not found.is_given
    assert orders(found) == {order}
    assert found.given < 0.7 < 0.9 < found.best


def test_a_fit_that_is_off_by_a_pressure_still_judges_what_differs() -> None:
    true, fitted = stresses()
    fitted = fitted + np.array([3.0, 3.0, 3.0, 0.0, 0.0, 0.0])
    assert judge(true, fitted).is_given
    assert orders(judge(true[:, [0, 1, 2, 4, 3, 5]], fitted)) == {"xx yy zz xz yz xy"}


def test_a_wrong_pressure_of_every_structure_leaves_the_shear_to_be_judged() -> None:
    true, fitted = stresses()
    wrong = np.random.default_rng(1).normal(0.0, 0.5, (30, 1))
    fitted = fitted + wrong * np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    found = judge(true[:, [0, 1, 2, 4, 3, 5]], fitted)
    assert orders(found) == {"xx yy zz xz yz xy"}
    assert found.open >= {0, 1, 2}


@pytest.mark.parametrize(
    ("signs", "negative"),
    [([1, 1, 1, -1, -1, -1], {3, 4, 5}), ([1, 1, 1, 1, -1, 1], {4}), ([1, -1, 1, 1, 1, 1], {1})],
)
def test_components_of_the_wrong_sign_are_recognised(signs: list[int], negative: set[int]) -> None:
    true, fitted = stresses()
    found = judge(true * np.array(signs), fitted)
    assert not found.is_given
    assert [{b for b in range(6) if one.signs[b] < 0} for one in found.possible] == [negative]


@pytest.mark.parametrize("factor", [-1.0, 160.2, -0.1])
def test_a_sign_or_unit_of_the_whole_is_a_slope(factor: float) -> None:
    true, fitted = stresses()
    found = judge(factor * true, fitted)
    assert found.is_given
    assert found.slope == pytest.approx(1 / factor, rel=0.05)


def test_a_fit_that_says_nothing_decides_nothing() -> None:
    true, _ = stresses()
    found = judge(true, np.random.default_rng(3).normal(0.0, 0.1, (30, 6)))
    assert found.best < 0.5

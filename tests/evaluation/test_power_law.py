"""The law through errors: parameters, intervals, and the structures that an error needs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mtt.evaluation.power_law import fit_power_law

SIZES = [50, 100, 200, 400, 800, 1600]


def test_an_exact_law_is_found_again() -> None:
    law = fit_power_law(SIZES, [300.0 * n**-0.5 for n in SIZES])
    assert law is not None
    assert (law.amplitude, law.exponent) == pytest.approx((300.0, 0.5), rel=1e-9)
    assert law.offset == 0.0, "the simpler one of two laws that fit"
    assert law.exponent_range[0] < 0.5 < law.exponent_range[1]
    best, low, high = law.structures_for(3.0)
    assert best == pytest.approx(10_000.0, rel=1e-9)
    assert 5_000 < low < best < high < 20_000
    assert law.error(10_000) == pytest.approx(3.0)
    low, high = law.error_range(10_000)
    assert low < 3.0 < high


def test_a_law_that_levels_off_has_an_offset_and_never_gets_below_it() -> None:
    law = fit_power_law(SIZES, [2000.0 * n**-0.9 + 12.0 for n in SIZES])
    assert law is not None
    assert law.offset == pytest.approx(12.0, rel=0.1)
    assert law.exponent == pytest.approx(0.9, rel=0.1)
    assert law.structures_for(8.0)[0] == math.inf


def test_more_scatter_is_a_wider_interval() -> None:
    noise = np.random.default_rng(1).normal(size=len(SIZES))
    widths = []
    for size in (0.1, 0.4):
        errors = [300.0 * n**-0.5 * math.exp(size * x) for n, x in zip(SIZES, noise, strict=True)]
        law = fit_power_law(SIZES[:4], errors[:4])
        assert law is not None
        widths.append(law.exponent_range[1] - law.exponent_range[0])
    assert widths[1] > 2.0 * widths[0]


def test_errors_that_do_not_fall_need_infinitely_many_structures() -> None:
    law = fit_power_law([10, 100], [5.0, 5.5])
    assert law is not None
    assert law.exponent < 0.0
    assert law.structures_for(1.0)[0] == math.inf


def test_what_has_no_law_has_none() -> None:
    assert fit_power_law([10], [5.0]) is None
    assert fit_power_law([10, 20], [5.0, math.nan]) is None
    assert fit_power_law([10, 20], [0.0, 0.0]) is None

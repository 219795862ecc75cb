"""Learning rates by their formula."""

import math

import pytest

from mtt.training.schedules import WarmupCosine


def test_warm_up_rises_linearly_to_the_peak():
    rate = WarmupCosine(peak=2.0, total=100, warmup_fraction=0.1)
    assert [rate(step) for step in range(10)] == pytest.approx([0.2 * (i + 1) for i in range(10)])


def test_after_the_warm_up_the_rate_is_half_a_cosine_down_to_zero():
    rate = WarmupCosine(peak=2.0, total=100, warmup_fraction=0.1)
    for step in range(10, 101):
        assert rate(step) == pytest.approx(1 + math.cos(math.pi * (step - 10) / 90), abs=1e-12)
    assert rate(100) == pytest.approx(0.0, abs=1e-12)
    assert rate(1000) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("fraction", [0.0, 0.001, 1.0])
def test_every_step_has_a_rate_between_zero_and_the_peak(fraction):
    rate = WarmupCosine(peak=1e-3, total=7, warmup_fraction=fraction)
    assert all(0 < rate(step) <= 1e-3 for step in range(7))

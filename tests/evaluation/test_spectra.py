"""Errors of spectra at the best shift and of running integrals, and gaps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtt.data.info import DatasetInfo, TargetInfo
from mtt.evaluation.metrics import Errors, names, units
from mtt.evaluation.quantities import SPECTRUM, is_extended
from mtt.evaluation.spectra import aligned, band_gap, best_shift
from mtt.graph import Target

INFO = DatasetInfo("", (1,), {"mtt::dos": TargetInfo(unit="eV", properties=SPECTRUM)})


def test_a_shift_and_an_integral_are_scored_beside_the_points() -> None:
    random = np.random.default_rng(2)
    predicted = np.zeros((3, SPECTRUM))
    predicted[:, 8:20] = random.random((3, 12)) + 0.5
    true = np.stack([np.roll(row, k) for row, k in zip(predicted, (5, 0, -3), strict=True)])
    true[0, 30:] = true[2, :4] = np.nan
    errors = Errors(INFO, extended=True)
    one = torch.ones(1, dtype=torch.int64)
    for p, y in zip(predicted, true, strict=True):  # in batches of one
        labels = {"mtt::dos": Target(torch.tensor(y[None]))}
        found = {"mtt::dos": Target(torch.tensor(p[None]))}
        errors.update(found, labels, one, one.double(), types=torch.zeros(1, dtype=torch.int64))
    values = errors.compute()
    d = predicted - true
    running = np.where(np.isfinite(d), np.nancumsum(d, axis=1) / SPECTRUM, np.nan)
    assert values["mtt::dos RMSE"] == pytest.approx(np.sqrt(np.nanmean(d**2)))
    assert values["mtt::dos shifted RMSE"] == pytest.approx(0.0, abs=1e-12)
    assert values["mtt::dos cumulative MAE"] == pytest.approx(np.nanmean(np.abs(running)))
    assert values["mtt::dos cumulative MaxAE"] == pytest.approx(np.nanmax(np.abs(running)))
    assert units(INFO, extended=True)["mtt::dos cumulative RMSE"] == "meV"
    assert [name for name in names(INFO, extended=True) if not is_extended(name)] == names(INFO)


def test_a_few_numbers_are_not_a_spectrum() -> None:
    for target in (TargetInfo(properties=SPECTRUM - 1), TargetInfo(kind='cartesian {"rank": 2}')):
        info = DatasetInfo("", (1,), {"mtt::x": target})
        assert not [name for name in names(info, extended=True) if "cumulative" in name]


def test_of_shifts_that_agree_the_nearest_to_zero_is_taken() -> None:
    flat = torch.zeros(2, 9, dtype=torch.float64)
    assert best_shift(flat, flat).tolist() == [9, 9]
    moved = torch.arange(9.0, dtype=torch.float64)[None]
    shift = best_shift(moved, torch.cat([moved[:, 2:], torch.full((1, 2), torch.nan)], 1))
    assert shift.tolist() == [11]
    assert aligned(moved, shift).tolist() == [[*range(2, 9), 0.0, 0.0]]


def density(edges: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Four electrons below the first edge, states above the second one."""
    energies = np.linspace(-10.0, 10.0, 2001)
    below = (energies > -6.0) & (energies < -4.0)
    valence = (energies > edges[0] - 2.0) & (energies < edges[0])
    above = (energies > edges[1]) & (energies < 9.0)
    return energies, 1.0 * below + 1.0 * valence + 3.0 * above


def test_the_gap_is_where_the_electrons_are_used_up() -> None:
    energies, states = density((-1.0, 1.5))
    noisy = states + 0.004 * np.sin(40 * energies) ** 2
    for one in (states, noisy):
        gap = band_gap(one, energies, 4.0)
        assert gap.width == pytest.approx(2.5, abs=0.03)
        assert (gap.lower, gap.upper) == (
            pytest.approx(-1.0, abs=0.02),
            pytest.approx(1.5, abs=0.02),
        )
        assert gap.width == gap.upper - gap.lower
        assert band_gap(one, energies, 2.0).width == pytest.approx(1.0, abs=0.03)  # lower bands
        assert band_gap(one, energies, 12.0).width == 0.0  # within a band
    assert band_gap(density((0.0, -0.5))[1], energies, 4.0).width == 0.0
    with pytest.raises(ValueError, match="energies do not ascend"):
        band_gap(states, energies[::-1], 4.0)
    with pytest.raises(ValueError, match="are not"):
        band_gap(states[:-1], energies, 4.0)

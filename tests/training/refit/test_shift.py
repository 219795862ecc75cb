"""What least squares add to a baseline, against the closed forms of NumPy."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.training.refit.shift import Residual, find_shift, refittable

TYPES = (1, 6, 8)
SHARES = torch.tensor(
    [[0.8, 0.2, 0.0], [0.5, 0.5, 0.0], [2 / 3, 0.0, 1 / 3], [0.4, 0.4, 0.2], [0.3, 0.2, 0.5]],
    dtype=torch.float64,
)


@pytest.fixture
def model(make_model):
    """A function that makes a model of H, C and O with the targets given."""

    class Several(type(make_model())):
        __supported_targets__ = ("energy", "scalar", "scalar per atom")

        def predict(self, graph):
            energies = self.atomic_energies(graph)
            return dict.fromkeys(self.target_names, energies[:, None])

    def make(**targets):
        known = targets or {"energy": TargetInfo.energy()}
        return Several({"width": 4, "dropout": 0.0}, DatasetInfo("angstrom", TYPES, known))

    return make


@pytest.fixture
def left():
    """Energies per atom that are left over, nowhere near a composition's."""
    rows = torch.from_numpy(np.random.default_rng(3).normal(0.4, 0.1, size=(5, 1)))
    return Residual(rows, SHARES)


def test_all_numbers_are_those_of_least_squares_and_no_mean_error_is_left(model, left):
    shift = find_shift(model(), "energy", left, {})
    expected = np.linalg.lstsq(SHARES.numpy(), left.rows.numpy(), rcond=None)[0]
    np.testing.assert_allclose(shift.weights.numpy(), expected, rtol=1e-12)
    assert shift.before.mean_errors == [pytest.approx(-float(left.rows.mean()), rel=1e-12)]
    assert shift.after.mean_errors == [pytest.approx(0.0, abs=1e-14)]
    rmse = math.sqrt(np.mean((left.rows.numpy() - SHARES.numpy() @ expected) ** 2))
    assert shift.after.rmse == pytest.approx(rmse, rel=1e-12)


def test_given_numbers_stay_and_the_others_explain_what_they_can(model, left):
    shift = find_shift(model(), "energy", left, {"energy": {"C": -1029.0}})
    assert shift.weights[1].item() == 0.0
    expected = np.linalg.lstsq(SHARES.numpy()[:, [0, 2]], left.rows.numpy(), rcond=None)[0]
    np.testing.assert_allclose(shift.weights[[0, 2]].numpy(), expected, rtol=1e-12)


def test_where_nothing_is_free_or_labelled_nothing_changes(model, left):
    given = {"energy": {"H": -13.6, "C": -1029.0, "O": -2041.0}}
    assert find_shift(model(), "energy", left, given) is None
    assert refittable(model(), given) == []
    unlabelled = replace(left, rows=torch.full_like(left.rows, math.nan))
    assert find_shift(model(), "energy", unlabelled, {}) is None


def test_compositions_that_do_not_determine_all_numbers_change_them_as_little_as_possible(
    model, left
):
    shares = SHARES[[3, 3, 3, 3, 3]]
    alike = Residual(left.rows, shares)
    shift = find_shift(model(), "energy", alike, {})
    expected = np.linalg.pinv(shares.numpy()) @ left.rows.numpy()
    np.testing.assert_allclose(shift.weights.numpy(), expected, rtol=1e-10)
    # directions that no structure has are left alone
    assert float(shift.weights[0] - shift.weights[1]) == pytest.approx(0.0, abs=1e-14)
    assert shift.after.mean_errors == [pytest.approx(0.0, abs=1e-14)]


def test_an_element_that_no_label_has_keeps_its_number(model, left):
    some = Residual(left.rows[:2], SHARES[:2])
    shift = find_shift(model(), "energy", some, {})
    assert shift.weights[2].item() == 0.0
    assert shift.after.rmse == pytest.approx(0.0, abs=1e-14)


def test_one_structure_is_met_exactly_and_missing_labels_are_left_out(model, left):
    rows = torch.full_like(left.rows, math.nan)
    rows[3] = left.rows[3]
    shift = find_shift(model(), "energy", replace(left, rows=rows), {})
    assert shift.after.rmse == pytest.approx(0.0, abs=1e-15)
    assert len({round(w, 12) for w in (shift.weights[:, 0] / SHARES[3]).tolist()}) == 1


def test_a_mean_over_atoms_has_one_constant(model, left):
    gap = TargetInfo(unit="eV", extensive=False)
    mean = float(left.rows.mean())
    one = model(gap=gap)
    shift = find_shift(one, "gap", left, {})
    assert shift.weights[:, 0].tolist() == [pytest.approx(mean, rel=1e-12)] * 3
    assert shift.after.mean_errors == [pytest.approx(0.0, abs=1e-15)]


def test_targets_of_structures_with_a_baseline_are_refitted_and_others_are_not(model):
    targets = {
        "energy": TargetInfo.energy(),
        "charge": TargetInfo(sample_kind="atom"),
        "gap": TargetInfo(extensive=False),
        "volume": TargetInfo(),
    }
    one = model(**targets)
    one.composition.values[:, 2] = 0.5
    assert refittable(one, {}) == ["energy", "gap"]
    assert refittable(one, {"volume": {"H": 1.0}}) == ["energy", "gap", "volume"]


def test_a_shift_is_shown_in_the_units_of_errors(model, left):
    one = model()
    rows = SHARES @ torch.tensor([[0.001], [0.002], [0.0]]).double()
    shift = find_shift(one, "energy", Residual(rows[:2], SHARES[:2]), {})
    line = shift.line(one.dataset_info, "energy")
    assert line.startswith("energy shifted by H +1, C +2 meV/atom: mean error on the training set ")
    assert "mean error on the training set -1.35 to 0, RMSE " in line
    many = replace(shift, weights=shift.weights.repeat(1, 4) * torch.arange(1, 5))
    words = many.line(one.dataset_info, "energy")
    assert words.startswith("energy shifted by H +1 … +4, C +2 … +8 meV/atom: "), "a spectrum"
    facts = shift.to_dict(one.dataset_info, "energy")
    assert facts["shift"] == {"H": pytest.approx(0.001), "C": pytest.approx(0.002)}
    assert facts["unit"] == "eV"
    assert facts["mean_error"][0] == pytest.approx(-0.00135)


def test_errors_are_worse_only_beyond_two_standard_errors_of_their_difference():
    rows = np.random.default_rng(5).normal(size=(40, 1))
    rows = torch.from_numpy(rows - rows.mean() + 0.05)
    left, ones = Residual(rows, torch.ones(40, 1).double()), torch.ones(1, 1).double()
    for size in (0.01, 0.1, 0.3, 1.0):
        for sign in (-1, 1):
            other = left.without(sign * size * ones)
            rises = (other.rows**2 - rows**2).numpy()
            limit = 2 * rises.std(ddof=1) / np.sqrt(40)
            assert other.is_worse_than(left) == bool(rises.mean() > limit), (size, sign)
    assert left.without(ones).is_worse_than(left)
    assert not left.without(0.01 * ones).is_worse_than(left)
    assert not left.without(-0.01 * ones).is_worse_than(left)


def test_any_rise_of_the_error_of_one_structure_counts_and_none_without_labels():
    one = torch.ones(1, 1, dtype=torch.float64)
    left = Residual(one, one)
    assert left.without(-1e-9 * one).is_worse_than(left)
    assert not left.without(1e-9 * one).is_worse_than(left)
    unlabelled = Residual(one * math.nan, one)
    assert not unlabelled.without(one).is_worse_than(unlabelled)

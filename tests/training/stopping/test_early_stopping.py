"""When a training without progress ends, by tables."""

import math

import pytest

from mtt.options.training import EarlyStoppingOptions
from mtt.training.stopping.early_stopping import EarlyStopping, make_early_stopping


def last_epoch(stopping, values, first=1):
    """The epoch that the training ends after, None if it does not."""
    for epoch, value in enumerate(values, start=first):
        if stopping.observe(epoch, value):
            return epoch
    return None


@pytest.mark.parametrize(
    ("patience", "min_delta", "first_epoch", "values", "end"),
    [
        (2, 0.0, 1, [3, 2, 1, 1, 1], 5),  # equal is no progress
        (2, 0.0, 1, [3, 4, 2, 3, 4], 5),  # progress begins the count anew
        (1, 0.0, 1, [3, 3], 2),
        (3, 0.0, 1, [1, 2, 2, 0.5, 1, 1], None),
        (2, 0.5, 1, [3, 2.6, 2.4, 2.3, 2.2], 5),  # 2.4 is progress against 3; then none
        (2, 0.5, 1, [3, 2.5, 2.5], 3),  # a fall by exactly min_delta is none
        (2, 0.0, 4, [1, 2, 2, 2, 2], 5),  # epochs before the first do not count
        (2, 0.0, 4, [5, 1, 2, 2, 2], 5),  # but set the best value
        (2, 0.0, 4, [1, 2, 2, 0.5, 2, 2], 6),
    ],
)
def test_early_stopping_by_the_stated_formula(patience, min_delta, first_epoch, values, end):
    assert last_epoch(EarlyStopping(patience, min_delta, first_epoch), values) == end


def test_ten_epochs_start_at_half_patience_two_ends_after_epoch_six():
    stopping = make_early_stopping(EarlyStoppingOptions(2, start=0.5), num_epochs=10)
    assert stopping.first_epoch == 5
    assert last_epoch(stopping, [1.0] * 10) == 6


@pytest.mark.parametrize(("start", "first"), [(0.0, 1), (0.05, 1), (0.5, 5), (0.99, 9), (1.0, 10)])
def test_start_is_a_part_of_all_epochs(start, first):
    options = EarlyStoppingOptions(3, min_delta=0.25, start=start)
    stopping = make_early_stopping(options, num_epochs=10)
    assert (stopping.patience, stopping.min_delta, stopping.first_epoch) == (3, 0.25, first)


def test_nothing_stops_unless_asked_to():
    assert make_early_stopping(None, num_epochs=10) is None


@pytest.mark.parametrize("kill", range(1, 6))
def test_the_counter_survives_a_restart(kill):
    values = [3.0, 2.0, 2.5, 2.5, 2.5, 2.5]
    first = EarlyStopping(patience=3)
    assert last_epoch(first, values[:kill]) == (5 if kill == 5 else None)
    second = EarlyStopping(patience=3)
    second.load_state_dict(first.state_dict())
    if kill < 5:
        assert last_epoch(second, values[kill:], first=kill + 1) == 5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_non_finite_validation_stops_with_a_message(value):
    stopping = EarlyStopping(patience=5)
    assert stopping.observe(1, 2.0) == ""
    assert stopping.observe(2, value) == f"the validation of epoch 2 is {value}"
    assert stopping.stopped
    again = EarlyStopping(patience=5)
    again.load_state_dict(stopping.state_dict())
    assert again.stopped and again.best == 2.0


def test_the_reason_names_the_epochs_and_the_best_value():
    stopping = EarlyStopping(patience=2)
    stopping.observe(1, 0.25)
    stopping.observe(2, 0.3)
    assert stopping.observe(3, 0.25) == "no progress in 2 epochs (best value 0.25)"

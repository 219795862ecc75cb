"""Time limits and checkpoint intervals, with a clock of our own."""

import math

import pytest

from mtt.errors import ConfigError
from mtt.ranks import SerialRanks
from mtt.training.stopping.timing import Deadline, Due, parse_max_time


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (90, 90.0),
        (0.5, 0.5),
        ("90", 90.0),
        ("1.5", 1.5),
        ("02:30", 150.0),
        ("90:00", 5400.0),
        ("1:30:00", 5400.0),
        ("25:00:00", 90000.0),
        (" 23:59:59 ", 86399.0),
        ("2-01:00:30", 176430.0),
        ("0-00:00:10", 10.0),
    ],
)
def test_max_time_is_seconds_or_clock_or_days(value, seconds):
    assert parse_max_time(value) == seconds


@pytest.mark.parametrize(
    "value",
    [0, -5, math.inf, math.nan, "", "0", "1h", "1:60", "1:60:00", "1-24:00:00", "1-5", "1-5:00",
     "-1:00", "1:2:3:4", "1:00:00:", "two hours"],
)  # fmt: skip
def test_another_form_of_max_time_is_refused(value):
    with pytest.raises(
        ConfigError, match=r"training\.max_time: .* is not a valid training time.*HH:MM:SS"
    ):
        parse_max_time(value)


def test_a_deadline_passes_after_its_seconds(clock):
    deadline = Deadline(5.0, clock)
    assert not deadline.passed
    clock.now += 4.9
    assert not deadline.passed
    clock.now += 0.1
    assert deadline.passed


def test_without_a_limit_no_deadline_passes(clock):
    deadline = Deadline(None, clock)
    clock.now += 1e12
    assert not deadline.passed


def test_nothing_is_due_unless_asked_for(clock):
    due = Due(None, None, clock)
    clock.now += 1e9
    assert not any(due(step, SerialRanks()) for step in range(1, 100))


def test_due_by_steps_at_every_multiple_also_after_a_restart(clock):
    def found(first):
        due = Due(4, None, clock)
        return [step for step in range(first, 14) if due(step, SerialRanks())]

    assert found(1) == [4, 8, 12]
    assert found(7) == [8, 12]


def test_due_by_minutes_since_the_last(clock):
    due, found = Due(None, 0.5, clock), []
    for step in range(1, 11):
        clock.now += 11
        if due(step, SerialRanks()):
            found.append(step)
    assert found == [3, 6, 9]


def test_a_checkpoint_by_steps_restarts_the_minutes(clock):
    due, found = Due(5, 0.5, clock), []
    for step in range(1, 11):
        clock.now += 11
        if due(step, SerialRanks()):
            found.append(step)
    assert found == [3, 5, 8, 10]

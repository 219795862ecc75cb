"""Weights of loss terms by epoch, and losses that can be compared."""

import json
from dataclasses import replace

import pytest

from mtt.training.losses.loss import Loss, Term
from mtt.training.losses.weight_schedule import WeightSchedule

STEPS = WeightSchedule.of({0: 1.0, 100: 25.0})
RAMP = WeightSchedule.of({0: 1.0, 10: 3.0, 110: 0.0, "interpolation": "linear"})


@pytest.mark.parametrize(("epoch", "weight"), [(0, 1.0), (99, 1.0), (100, 25.0), (101, 25.0)])
def test_weights_of_a_schedule_are_absolute_from_their_epoch_on(epoch, weight):
    assert STEPS.at(epoch) == weight


@pytest.mark.parametrize(
    ("epoch", "weight"), [(0, 1.0), (5, 2.0), (10, 3.0), (60, 1.5), (110, 0.0), (1000, 0.0)]
)
def test_linear_schedules_are_straight_lines(epoch, weight):
    assert RAMP.at(epoch) == pytest.approx(weight, rel=1e-15)


def test_the_loss_of_an_epoch_is_a_pure_function_of_the_epoch():
    loss = Loss([Term("energy", "values", schedule=STEPS), Term("energy", "forces", weight=3.0)])
    assert loss.at(0) is loss
    assert [term.weight for term in loss.at(100).terms] == [25.0, 3.0]
    assert loss.at(100).at(99).terms == loss.at(99).terms == loss.terms
    assert loss.final().terms == loss.at(100).terms
    constant = Loss([Term("energy", "values")])
    assert constant.at(7) is constant.final() is constant


def test_terms_enter_and_leave_with_their_weights():
    loss = Loss([Term("energy", "values", schedule=RAMP), Term("energy", "forces")])
    assert loss.at(109).active == [0, 1]
    assert loss.at(110).active == [1]


def test_losses_of_other_weights_are_not_comparable():
    loss = Loss([Term("energy", "values", schedule=STEPS)])
    assert loss.at(99).identity == loss.identity
    assert loss.final().identity != loss.identity


def test_losses_are_comparable_where_their_values_are():
    terms = [Term("energy", "values", per_atom=True), Term("energy", "forces", "mae", weight=2.0)]
    one = Loss(terms).identity
    assert json.loads(one)[1]["weight"] == 2.0
    assert Loss([*terms, Term("energy", "strain", weight=0.0)]).identity == one
    assert Loss([replace(terms[0], complete=True), replace(terms[1], delta=3.0)]).identity == one
    for change in ({"weight": 2.5}, {"type": "mse"}, {"reduction": "sum"}, {"scale": 2.0}):
        assert Loss([terms[0], replace(terms[1], **change)]).identity != one
    huber = replace(terms[1], type="huber")
    assert Loss([huber]).identity != Loss([replace(huber, delta=3.0)]).identity

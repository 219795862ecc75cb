"""From the options to the stages of a training."""

import pytest

from mtt.errors import ConfigError
from mtt.options.training import EmaOptions, TrainingOptions, parse
from mtt.training.plan import stage_plans


def plans(**hypers):
    return stage_plans(parse(hypers))


def test_without_stages_there_is_one_of_all_epochs():
    (plan,) = plans(num_epochs=7, learning_rate=0.5)
    assert (plan.number, plan.source, plan.num_epochs) == (0, "last", 7)
    assert plan.options.learning_rate == 0.5


def test_a_stage_takes_what_it_does_not_say_from_the_training():
    one, two = plans(
        learning_rate=0.5,
        ema=True,
        stages=[
            {"num_epochs": 2},
            {"name": "fine", "num_epochs": 3, "learning_rate": 0.1, "ema": False, "from": "best"},
        ],
    )
    assert (one.name, one.source, one.num_epochs) == ("stage_1", "last", 2)
    assert (one.options.learning_rate, one.options.ema) == (0.5, EmaOptions(0.999))
    assert (two.name, two.source, two.num_epochs, two.number) == ("fine", "best", 3, 1)
    assert (two.options.learning_rate, two.options.ema) == (0.1, None)
    assert two.options.batch_size == TrainingOptions().batch_size


def test_a_preset_reaches_its_own_stage_alone():
    one, two, three = plans(
        stages=[
            {"num_epochs": 1},
            {"num_epochs": 1, "optimizer": "lbfgs"},
            {"num_epochs": 1, "optimizer": "lbfgs", "learning_rate": 0.25},
        ]
    )
    assert one.options.grad_clip_norm == 1.0
    assert two.options.grad_clip_norm is None
    assert [plan.options.learning_rate for plan in (one, two, three)] == [0.001, 1.0, 0.25]


def test_all_mistakes_in_the_stages_are_reported_at_once():
    stages = [
        {"name": "one", "num_epochs": 1, "from": "best"},
        {"name": "two", "num_epochs": 1},
        {"name": "two", "num_epochs": 1, "from": "best"},
    ]
    with pytest.raises(ConfigError) as caught:
        plans(stages=stages)
    text = str(caught.value)
    assert "stages[0].from: the first stage cannot begin with the best weights" in text
    assert "stages[2].name: a second stage called 'two'" in text


def test_a_name_that_the_platform_would_give_is_taken_too():
    with pytest.raises(ConfigError, match=r"stages\[1\].name: a second stage called 'stage_2'"):
        plans(stages=[{"name": "stage_2", "num_epochs": 1}, {"num_epochs": 1}])

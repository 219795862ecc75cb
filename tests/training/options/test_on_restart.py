"""What a resumed training takes of changed options: every option is classified."""

from mtt.training import default_hypers, training_schema
from mtt.training.options.on_restart import ACTS, BOUND, refusal
from mtt.training.trainer import MLIPTrainer

START = ("atomic_baseline", "scale_targets", "fixed_scaling_weights", "prefit", "finetune")


def test_every_option_of_the_schema_is_known_to_act_at_some_time():
    assert set(ACTS) == set(training_schema()["properties"]) == set(default_hypers())


def test_what_acts_before_the_first_step_is_refused_and_nothing_else():
    refused = {name for name in training_schema()["properties"] if refusal((name,), 0)}
    assert refused == set(START)
    assert all(refusal((name, "any", "key"), 0) for name in START)


def test_an_unclassified_option_is_refused_until_its_trainer_names_it():
    assert "younger is not known to act after the first step" in refusal(("younger",), 0)
    assert not refusal(("younger",), 0, frozenset({"younger"}))
    assert MLIPTrainer.__taken_on_restart__ == frozenset()


def test_stages_that_are_over_are_refused_and_those_to_come_are_not():
    stage = training_schema()["properties"]["stages"]["items"]["properties"]
    assert set(BOUND) < set(stage)
    for option in stage:
        path = ("stages", 1, option)
        assert refusal(path, stage=2) == "stage 2 is over"
        assert not refusal(path, stage=0)
        assert bool(refusal(path, stage=1)) == (option in BOUND)
    assert not refusal(("stages",), 1)
    assert not refusal(("stages", 2), 1)

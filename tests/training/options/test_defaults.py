"""Defaults, schema and what is not available."""

import jsonschema
import pytest

from mtt.training import MLIPTrainer, default_hypers, training_schema


def test_the_defaults_satisfy_the_schema_and_both_know_the_same_keys():
    schema, defaults = training_schema(), default_hypers()
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(defaults, schema)
    assert set(schema["properties"]) == set(defaults)
    assert set(schema["properties"]["finetune"]["properties"]) == set(defaults["finetune"])


def test_every_option_is_described():
    schema = training_schema()
    finetune = schema["properties"]["finetune"]["properties"]
    assert all(part["description"] for part in [*schema["properties"].values(), *finetune.values()])


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"augmentation": "O3"},
        {"stages": [{"num_epochs": 1, "augmentation": "so2"}]},
        {"num_epoch": 3},
        {"learning_rate": 0.0},
        {"optimizer": 3},
        {"warmup_fraction": 1.5},
        {"finetune": {"readfrom": "x"}},
    ],
)
def test_the_schema_refuses_what_makes_no_sense(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**default_hypers(), **wrong}, training_schema())


def test_defaults_are_a_fresh_copy_every_time():
    MLIPTrainer.platform_hypers()["finetune"]["method"] = "changed"
    assert MLIPTrainer.platform_hypers()["finetune"]["method"] == "full"

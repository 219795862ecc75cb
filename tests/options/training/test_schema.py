"""The JSON Schema of option dataclasses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from mtt.options.training import TrainingOptions
from mtt.options.training.option import definitions, option
from mtt.options.training.schema import section_schema, with_names
from mtt.options.training.whole import training_schema


@dataclass(frozen=True)
class Inner:
    must: int = option(description="needed", minimum=1)


@dataclass(frozen=True)
class Outer:
    number: float | None = option(None, "a number", exclusiveMinimum=0)
    word: Literal[None, "a", "b"] = option(None, "a word")
    names: tuple[str, ...] = option((), "names", minItems=1)
    table: Mapping[str, float] = option(dict, "a table", minimum=0)
    anything: Mapping[str, Any] | str = option(dict, "anything")
    inner: Inner | None = option(None, "inner")
    source: str = option("", "renamed", key="from")
    hidden: int = 0


def test_types_limits_and_nested_sections_are_in_the_schema():
    assert section_schema(Outer) == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "number": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "description": "a number",
            },
            "word": {"enum": [None, "a", "b"], "description": "a word"},
            "names": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string"},
                "description": "names",
            },
            "table": {
                "type": "object",
                "additionalProperties": {"type": "number", "minimum": 0},
                "description": "a table",
            },
            "anything": {"type": ["object", "string"], "description": "anything"},
            "inner": {
                "anyOf": [
                    {"type": "null"},
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["must"],
                        "properties": {
                            "must": {"type": "integer", "minimum": 1, "description": "needed"}
                        },
                    },
                ],
                "description": "inner",
            },
            "from": {"type": "string", "description": "renamed"},
        },
    }


def test_names_are_filled_in_descriptions_alone():
    schema = {"description": "one of $losses", "enum": ["$losses"]}
    filled = with_names({"properties": {"a": [schema]}}, {"losses": ["mse", "mae"]})
    assert filled == {
        "properties": {"a": [{"description": "one of mse, mae", "enum": ["$losses"]}]}
    }
    with pytest.raises(KeyError, match="losses"):
        with_names(schema, {})


def test_every_option_says_what_it_does_and_when_it_acts():
    for one in definitions(TrainingOptions):
        assert one.description, one.name
        assert one.acts, one.name
        assert not one.is_required, one.name


def test_stages_may_have_what_is_marked_and_their_own_keys():
    stage = training_schema()["properties"]["stages"]["items"]
    shared = {one.name for one in definitions(TrainingOptions) if one.in_stages}
    assert set(stage["properties"]) == {"name", "num_epochs", "from", *shared}
    assert stage["required"] == ["num_epochs"]
    assert stage["properties"]["ema"]["$ref"] == "#/properties/ema"

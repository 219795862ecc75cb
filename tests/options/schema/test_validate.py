"""Schema validation: strict numbers, words with a remedy, all mistakes at once."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mtt.errors import ArchitectureError
from mtt.options.schema.validate import validate


def told(value: Any, schema: dict[str, Any]) -> list[str]:
    return [f"{fault.what}; {fault.hint}".removesuffix("; ") for fault in validate(value, schema)]


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (8.0, "integer", "expected an integer, got 8.0; write 8"),
        (True, "integer", "expected an integer, got true"),
        (True, "number", "expected a number, got true"),
        (math.inf, "number", "expected a number, got inf; numbers must be finite"),
        (math.nan, "number", "expected a number, got nan; numbers must be finite"),
        ("010", "integer", "expected an integer, got the text '010'; numbers have no leading zero"),
        ("1:30", "number", "expected a number, got the text '1:30'; write one number"),
        (1, "boolean", "expected true or false, got 1"),
        ([1], "object", "expected a mapping, got a list of 1"),
        ({"a": 1}, "array", "expected a list, got a mapping (a)"),
        (None, "string", "expected text, got null"),
        ("x" * 99, "number", f"expected a number, got the text '{'x' * 57}...'"),
    ],
)
def test_a_wrong_type_is_reported_with_what_was_meant(value: Any, kind: str, message: str) -> None:
    assert told(value, {"type": kind}) == [message]


@pytest.mark.parametrize(
    ("value", "schema", "message"),
    [
        (-1, {"minimum": 0}, "must be at least 0, got -1"),
        (0, {"exclusiveMinimum": 0}, "must be above 0, got 0"),
        (2, {"maximum": 1}, "must be at most 1, got 2"),
        (1, {"exclusiveMaximum": 1}, "must be below 1, got 1"),
        (
            "adma",
            {"enum": ["adam", "adamw", None]},
            "expected one of 'adam', 'adamw', got the text 'adma'; did you mean 'adam'?",
        ),
        (1, {"enum": [True, "auto"]}, "expected one of true, 'auto', got 1"),
        (True, {"const": False}, "must be false, got true"),
        ({}, {"required": ["a"]}, "missing key; add 'a:' here"),
        ({"a": 1}, {"dependentRequired": {"a": ["b"]}}, "missing key; 'a' needs it"),
        (
            {"cutof": 1},
            {"properties": {"cutoff": {}}, "additionalProperties": False},
            "unknown key; did you mean 'cutoff'?",
        ),
        (
            {"x": 1},
            {"properties": {"cutoff": {}}, "additionalProperties": False},
            "unknown key; known keys are cutoff",
        ),
        ({"x": 1}, {"properties": {"a": {}}, "unevaluatedProperties": False}, "unknown key"),
        ([1, 1], {"uniqueItems": True}, "[1, 1] has non-unique elements"),
    ],
)
def test_a_wrong_value_is_reported_with_a_remedy(
    value: Any, schema: dict[str, Any], message: str
) -> None:
    assert told(value, schema) == [message]


def test_alternatives_are_judged_by_type_first() -> None:
    schema = {
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
        ]
    }
    assert told(0, schema) == ["must be at least 1, got 0"]
    assert told({"b": 1}, schema) == ["unknown key; known keys are a"]
    assert told("x", schema) == ["expected an integer or a mapping, got the text 'x'"]


def test_all_mistakes_are_found_with_their_paths() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "integer"}}}
    schema = {"properties": {"list": {"items": inner}}, "additionalProperties": False}
    faults = validate({"list": [{"b": 1}, {"b": "x"}], 3: 0}, schema, ("architecture",))
    assert {fault.path for fault in faults} == {
        ("architecture", "list", 1, "b"),
        ("architecture", "3"),
    }


def test_integer_keys_are_judged_as_text() -> None:
    schema = {"patternProperties": {"^[0-9]+$": {"type": "number"}}, "additionalProperties": False}
    assert told({1: -13.6, 8: 2.0}, schema) == []
    assert told({1: "x"}, schema) == ["expected a number, got the text 'x'"]


def test_a_note_says_that_a_key_or_a_value_is_not_available() -> None:
    whole = {"const": False, "x-not-available": "long-range models"}
    some = {"enum": ["full"], "x-not-available": {"lora": "low-rank adaptation"}}
    assert told(True, whole) == ["not available yet: long-range models"]
    assert told(False, whole) == []
    assert told("lora", some) == ["not available yet: low-rank adaptation"]
    assert told({"lora": 1}, some) == ["not available yet: low-rank adaptation"]
    assert told("loraa", some) == ["expected 'full', got the text 'loraa'"]


@pytest.mark.parametrize("draft", ["draft-07", "2020-12"])
def test_the_training_options_can_be_referred_to(draft: str) -> None:
    kinds = {
        "draft-07": "http://json-schema.org/draft-07/schema#",
        "2020-12": "https://json-schema.org/draft/2020-12/schema",
    }
    schema = {"$schema": kinds[draft], "properties": {"training": {"$ref": "mtt:training"}}}
    faults = validate({"training": {"num_epochs": 8.0, "num_epoch": 3}}, schema)
    assert {fault.path: fault.hint for fault in faults} == {
        ("training", "num_epochs"): "write 8",
        ("training", "num_epoch"): "did you mean 'num_epochs'?",
    }


def test_a_reference_to_nowhere_is_the_architectures_mistake() -> None:
    schema = {"properties": {"a": {"$ref": "mtt:trainings"}}}
    message = "toy/schema.json: the schema refers to 'mtt:trainings', which does not exist"
    with pytest.raises(ArchitectureError, match=message):
        validate({"a": 1}, schema, (), "toy/schema.json")

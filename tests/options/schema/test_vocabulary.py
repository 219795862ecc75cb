"""Schemas are checked themselves."""

from __future__ import annotations

from typing import Any

import pytest

from mtt.errors import ArchitectureError
from mtt.options import check_schema
from mtt.options.schema.validate import packaged


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            {"properties": {"cutoff": {"minimun": 0}}},
            r"s\.json properties\.cutoff\.minimun: unknown keyword; did you mean 'minimum'\?",
        ),
        ({"anyOf": [{"type": "integer"}, {"tpye": "x"}]}, r"s\.json anyOf\[1\]\.tpye: unknown"),
        ({"items": {"allOf": [{"nope": 1}]}}, r"s\.json items\.allOf\[0\]\.nope: unknown keyword"),
        ({"properties": {"a": 3}}, r"s\.json properties\.a: a schema is a mapping"),
        ({"type": "integr"}, r"s\.json type: 'integr' is not valid"),
        ({"minimum": "0"}, r"s\.json minimum: '0' is not of type 'number'"),
        ([], r"s\.json: a schema is a mapping"),
    ],
)
def test_a_mistake_in_a_schema_is_refused(schema: Any, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        check_schema(schema, "s.json")


def test_names_of_properties_are_not_keywords() -> None:
    check_schema({"properties": {"minimun": True, "x": {"x-note": {"any": "thing"}}}}, "s.json")
    check_schema({"definitions": {"a": {}}, "dependencies": {"a": ["b"], "c": {}}}, "s.json")


@pytest.mark.parametrize(
    "parts",
    [
        ("options", "options.schema.json"),
        ("options", "eval.schema.json"),
        ("training", "schema-hypers.json"),
    ],
)
def test_the_packaged_schemas_are_right(parts: tuple[str, ...]) -> None:
    check_schema(packaged(*parts), parts[-1])


def test_every_key_of_the_file_is_described() -> None:
    schema = packaged("options", "options.schema.json")

    def undescribed(node: dict[str, Any], path: str) -> list[str]:
        found = []
        for key, child in node.get("properties", {}).items():
            target = schema["$defs"].get(child.get("$ref", "").removeprefix("#/$defs/"), {})
            if "description" not in {**target, **child}:
                found.append(f"{path}.{key}")
            found += undescribed(child, f"{path}.{key}")
        return found

    nodes = {"": schema, **schema["$defs"]}
    assert [key for name, node in nodes.items() for key in undescribed(node, name)] == []

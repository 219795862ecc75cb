"""The schema for editors: one document, which takes what ``mtt train`` takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mtt.errors import ArchitectureError
from mtt.options.yaml.load import read_yaml
from mtt.registry.whole_schema import DRAFT, whole_schema

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*/options.yaml"))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return whole_schema()


def mistakes(schema: dict[str, Any], options: Any) -> list[str]:
    found = jsonschema.Draft7Validator(schema).iter_errors(options)
    return [f"{one.json_path}: {one.message}" for one in found]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_it_takes_the_options_of_every_example(schema: dict[str, Any], path: Path) -> None:
    assert mistakes(schema, read_yaml(path)) == []


def test_it_is_a_schema_of_draft_7_without_other_files(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == DRAFT
    jsonschema.Draft7Validator.check_schema(schema)
    waiting: list[Any] = [schema]
    seen = set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                assert set(value) == {"$ref"}, "what is beside it does not count"
                seen.add(value["$ref"])
            waiting += value.values()
    resolver = jsonschema.Draft7Validator(schema)
    for reference in sorted(seen):
        assert reference.startswith("#/$defs/")
        place: Any = schema
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
    assert len(seen) > 20
    assert resolver.is_valid({}) is False


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sed": 1}, r"^\$: .*'sed' was unexpected"),
        ({"seed": "one"}, r"^\$\.seed: "),
        ({"architecture": {"name": "soap_bpnn", "model": {"sop": {}}}}, r"model: .*'sop'"),
        (
            {"architecture": {"name": "soap_bpnn", "training": {"num_epoch": 1}}},
            r"training: .*'num_epoch'",
        ),
        ({"training_set": {"systems": "a.xyz"}}, r"training_set: 'targets' is a required"),
        ({"validation_set": 1.5}, r"validation_set: 1\.5 is greater"),
    ],
)
def test_mistakes_are_found_where_they_are(
    schema: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    options = {"architecture": {"name": "pet"}, "training_set": "a.xyz", "validation_set": 0.1}
    assert mistakes(schema, options) == []
    found = mistakes(schema, options | change)
    assert len(found) == 1
    with pytest.raises(ValueError, match=message):
        raise ValueError(found[0])


def test_the_options_are_those_of_the_architecture_that_the_file_names(
    schema: dict[str, Any],
) -> None:
    def options(name: str) -> dict[str, Any]:
        section = {"name": name, "model": {"d_pet": 64}}
        return {"architecture": section, "training_set": "a.xyz", "validation_set": 0.1}

    assert mistakes(schema, options("pet")) == []
    assert "d_pet" in mistakes(schema, options("soap_bpnn"))[0]
    assert mistakes(schema, options("another")) == [], "its options are not known"
    only = whole_schema("pet")
    assert mistakes(only, options("pet")) == []
    assert "'pet' was expected" in mistakes(only, options("soap_bpnn"))[0]


def test_platform_options_of_the_model_are_known_and_empty_sections_are_fine(
    schema: dict[str, Any],
) -> None:
    section = {"name": "soap_bpnn", "model": {"prior": None}, "training": None}
    options = {"architecture": section, "training_set": "a.xyz", "validation_set": 0.1}
    assert mistakes(schema, options) == []


def test_architectures_of_other_folders_are_part_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "default-hypers.yaml").write_text("name: mine\nmodel: {}\ntraining: {}\n")
    rules = {"type": "object", "properties": {"model": {"$ref": "#/definitions/model"}}}
    rules["definitions"] = {"model": {"type": "object", "properties": {"width": {"minimum": 2}}}}
    (folder / "schema-hypers.json").write_text(json.dumps(rules))
    section = {"name": "mine", "model": {"width": 1}}
    options = {"architecture": section, "training_set": "a.xyz", "validation_set": 0.1}
    assert "less than the minimum of 2" in mistakes(whole_schema(folders=[folder]), options)[0]
    (folder / "schema-hypers.json").write_text("{")
    assert mistakes(whole_schema(folders=[folder]), options) == [], "one bad folder spoils nothing"
    with pytest.raises(ArchitectureError, match="not valid JSON"):
        whole_schema("mine", [folder])
    with pytest.raises(ArchitectureError, match="did you mean 'soap_bpnn'"):
        whole_schema("soap_bpn")

"""The data files of a folder: defaults and schema."""

from __future__ import annotations

import json

import pytest

from mtt.errors import ArchitectureError
from mtt.registry import find

SECTIONS = "model: {}\ntraining: {}\n"


def load(path):
    return find(path.name, [path]).load()


@pytest.mark.parametrize("name", ["idle", "experimental.idle"])
def test_an_outer_key_is_accepted(folder, name) -> None:
    text = f"architecture:\n  name: {name}\n  model:\n    cutoff: 5.0\n  training: {{}}\n"
    one = load(folder(**{"default-hypers": text}))
    assert one.default_hypers == {"name": "idle", "model": {"cutoff": 5.0}, "training": {}}


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", ["holds no keys and values, but needs name, model, training"]),
        ("- name\n", ["holds no keys and values"]),
        ("architecture: 3\n", ["holds no keys and values"]),
        ("name: idle\nmodel: 3\ntrainig: {}\n",
         ["unknown key 'trainig'; did you mean 'training'?", "'training' is missing",
          "'model' holds 3, not options"]),
        (f"name: other\n{SECTIONS}",
         ["names it 'other', but it is found as 'idle'; write `name: idle`"]),
        ("name: [\n", ["not valid YAML"]),
        (f"name: idle\nname: idle\n{SECTIONS}", ["duplicate key"]),
    ],
)  # fmt: skip
def test_all_that_is_wrong_with_the_defaults_is_reported(folder, text, messages) -> None:
    path = folder(**{"default-hypers": text})
    with pytest.raises(ArchitectureError) as caught:
        load(path)
    problems = caught.value.problems
    assert len(problems) == len(messages)
    for problem, message in zip(problems, messages, strict=True):
        assert str(path / "default-hypers.yaml") in problem.where
        assert message in str(problem)


def test_a_schema_comes_along(folder) -> None:
    schema = {"type": "object", "properties": {"training": {"$ref": "mtt:training"}}}
    assert load(folder(**{"schema-hypers": json.dumps(schema)})).schema == schema


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{\n  'a': 1}", r"schema-hypers\.json:2:3: not valid JSON"),
        ("[]", r"schema-hypers\.json: is not a JSON Schema, which is an object"),
        (
            '{"properties": {"a": {"type": "flaot"}}}',
            r"properties\.a\.type: is not a JSON Schema",
        ),
    ],
)
def test_a_wrong_schema_is_reported_with_its_place(folder, text, message) -> None:
    with pytest.raises(ArchitectureError, match=message):
        load(folder(**{"schema-hypers": text}))

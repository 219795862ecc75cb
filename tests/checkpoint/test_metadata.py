"""Metadata as plain values."""

from __future__ import annotations

from typing import Any

import pytest
from metatomic.torch import ModelMetadata

from mtt.checkpoint import merge_metadata, metadata_from_dict, metadata_to_dict
from mtt.errors import ConfigError


@pytest.fixture
def values() -> dict[str, Any]:
    return {
        "name": "water",
        "description": "a model of water",
        "authors": ["A. Author"],
        "references": {"model": ["one"], "architecture": ["two"]},
        "extra": {"data": "here"},
    }


def test_metadata_survive_the_round_trip(values) -> None:
    assert metadata_to_dict(metadata_from_dict(values)) == values


def test_missing_fields_are_empty() -> None:
    assert metadata_to_dict(metadata_from_dict({})) == metadata_to_dict(ModelMetadata())


def test_all_mistakes_are_reported_at_once() -> None:
    wrong = {
        "nam": "x",
        "description": 3,
        "authors": ["a", 1],
        "references": {"modle": [], "model": "x"},
        "extra": {"a": 1},
    }
    with pytest.raises(ConfigError) as caught:
        metadata_from_dict(wrong, where="m.yaml")
    assert str(caught.value).splitlines() == [
        "m.yaml nam: unknown key; did you mean 'name'?",
        "m.yaml description: 3 is not a str",
        "m.yaml authors: 1 is not a text",
        "m.yaml references.modle: unknown key; did you mean 'model'?",
        "m.yaml references.model: 'x' is not a list",
        "m.yaml extra: 1 is not a text",
    ]


def test_something_that_is_not_a_mapping_is_refused() -> None:
    with pytest.raises(ConfigError, match="not keys and values"):
        metadata_from_dict(["x"])  # type: ignore[arg-type]


def test_merged_metadata_replace_texts_and_extend_the_rest(values) -> None:
    update = ModelMetadata(
        name="ice", authors=["B. Author", "A. Author"], references={"model": ["three", "one"]},
        extra={"data": "there", "more": "x"},
    )  # fmt: skip
    assert metadata_to_dict(merge_metadata(metadata_from_dict(values), update)) == {
        "name": "ice",
        "description": "a model of water",
        "authors": ["A. Author", "B. Author"],
        "references": {"model": ["one", "three"], "architecture": ["two"]},
        "extra": {"data": "there", "more": "x"},
    }

"""Options of existing files that have no effect here."""

from collections.abc import Callable
from typing import Any

import pytest

from mtt.options.metatrain.retired import RETIRED, retired
from mtt.training import default_hypers

FILE = """architecture: {{name: soap_bpnn, training: {{{}}}}}
training_set: t.xyz
validation_set: 0.1
"""


def test_they_are_taken_where_they_ask_for_nothing_and_are_not_stored(
    read: Callable[..., Any],
) -> None:
    given = (
        "distributed: false, distributed_port: 39591, num_workers: 0, log_separate_blocks: false"
    )
    options = read(FILE.format(given))
    assert not set(RETIRED) & set(options.architecture["training"])
    assert not options.notices
    assert set(options.architecture["training"]) == set(default_hypers())


def test_workers_that_are_not_used_are_mentioned_with_their_line(read: Callable[..., Any]) -> None:
    (notice,) = read(FILE.format("num_workers: 4")).notices
    assert "architecture.training.num_workers: num_workers is not used: batches are" in notice
    assert ":1 " in notice


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("log_separate_blocks: true", "log_separate_blocks: not available yet: errors of separate"),
        ("num_workers: -1", "num_workers: must be at least 0, got -1"),
        ("num_workers: many", "num_workers: expected an integer or null, got the text 'many'"),
        ("distributed_port: 0", "distributed_port: must be at least 1, got 0"),
    ],
)
def test_what_they_ask_for_and_cannot_have_is_refused(
    refused: Callable[..., list[str]], given: str, message: str
) -> None:
    assert message in "\n".join(refused(FILE.format(given)))


def test_an_option_that_an_architecture_has_itself_is_its_own() -> None:
    platform, schema = default_hypers(), {"properties": {"num_workers": {}}}
    assert retired(platform, (), None) == list(RETIRED)
    assert retired(platform, ("num_workers",), {"$ref": "mtt:training"}) == list(RETIRED)
    assert "num_workers" not in retired(platform, ("num_workers",), None)
    assert "num_workers" not in retired(platform, ("num_workers",), {"anyOf": [schema]})
    assert "num_workers" not in retired({**platform, "num_workers": 2}, (), None)
    assert retired({}, (), None) == []

"""Patterns over the names of weights."""

import pytest

from mtt.errors import ConfigError
from mtt.mlip.trainable.parameter_names import first_parts, matches, select

NAMES = ["first.linear.weight", "first.gain", "heads.0.last.weight", "heads.1.last.weight"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("first", [0, 1]),
        ("first.gain", [1]),
        ("gain", [1]),
        ("heads.1", [3]),
        ("heads.*", [2, 3]),
        ("last.weight", [2, 3]),
        ("*", [0, 1, 2, 3]),
        ("head", []),
        ("first.weight", []),
    ],
)
def test_a_pattern_names_a_run_of_the_dotted_parts(pattern, found):
    assert [i for i, name in enumerate(NAMES) if matches(name, pattern)] == found


def test_patterns_that_match_nothing_are_refused_together():
    with pytest.raises(ConfigError) as caught:
        select(NAMES, ["heads", "frist", "first.gian.*"], "a.key", "parameters")
    text = str(caught.value)
    assert "a.key: 'frist' matches none of the parameters; did you mean 'first'?" in text
    assert "a.key: 'first.gian.*' matches none of the parameters; did you mean 'first.gain'" in text
    assert text.count("\n") == 1


def test_the_first_parts_are_those_that_differ():
    assert first_parts(NAMES) == ["first", "heads"]
    assert first_parts(["net.layers.0.weight", "net.embedding.weight"]) == [
        "net.layers",
        "net.embedding",
    ]
    assert first_parts(["net.weight"]) == ["net"]
    assert first_parts([]) == []

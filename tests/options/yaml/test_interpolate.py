"""``${...}``: absolute, relative, inside text, round in circles."""

from __future__ import annotations

from typing import Any

import pytest

from mtt.options.yaml.interpolate import Interpolator, escape

ROOT = {
    "seed": 3,
    "unit": None,
    "set": {
        "systems": {"read_from": "a.xyz"},
        "targets": {"energy": {"read_from": "?", "key": "E", "forces": {"key": "F"}}},
    },
    "short": "b.xyz",
    "list": [{"x": 1}, {"x": 2}],
    "weights": {1: -13.6},
    "chain": "${set.targets.energy.key}",
    "loop": "${pool}",
    "pool": "${loop}",
}


def resolved(text: Any, path: tuple[str, ...] = ("key",)) -> Any:
    interpolate = Interpolator(ROOT, {"base_precision": 64})
    value = interpolate(text, path)
    assert interpolate.faults == []
    return value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${seed}", 3),
        ("run_${seed}.xyz", "run_3.xyz"),
        ("${seed}-${short}", "3-b.xyz"),
        ("${set.systems.read_from}", "a.xyz"),
        ("${short.systems.read_from}", "b.xyz"),
        ("${list[1].x}", 2),
        ("${list.0.x}", 1),
        ("${weights.1}", -13.6),
        ("${chain}", "E"),
        ("${weights}", {1: -13.6}),
        ("${base_precision}", 64),
        ("\\${seed}", "${seed}"),
        ("cost: $5", "cost: $5"),
    ],
)
def test_a_reference_is_replaced_by_the_value_it_names(text: str, value: Any) -> None:
    assert resolved(text) == value


def test_leading_dots_count_mappings_outwards() -> None:
    path = ("set", "targets", "energy", "forces", "read_from")
    assert resolved("${.key}", path) == "F"
    assert resolved("${..key}", path) == "E"
    assert resolved("${....systems.read_from}", path) == "a.xyz"


def test_a_path_not_in_the_root_is_looked_up_around_the_key() -> None:
    path = ("set", "targets", "energy", "read_from")
    assert resolved("${systems.read_from}", path) == "a.xyz"


def test_a_default_replaces_a_null() -> None:
    interpolate = Interpolator({"base_precision": None}, {"base_precision": 32})
    assert interpolate("${base_precision}", ("bits",)) == 32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${sede}", "'${sede}' names a key that is not given"),
        ("${loop}", "the interpolation goes round in a circle: loop -> pool -> loop"),
        ("${oc.env:HOME}", "the resolver in '${oc.env:HOME}' is not available"),
        ("x${weights}", "a mapping or list cannot be inserted into 'x${weights}'"),
        ("${a.${seed}}", "the interpolation in '${a.${seed}}' is not closed, or nested"),
        ("${seed", "the interpolation in '${seed' is not closed, or nested"),
    ],
)
def test_a_reference_that_leads_nowhere_is_a_mistake(text: str, message: str) -> None:
    interpolate = Interpolator(ROOT)
    interpolate(text, ("key",))
    assert message in [fault.what[: len(message)] for fault in interpolate.faults]


def test_a_misspelt_reference_gets_a_suggestion() -> None:
    interpolate = Interpolator(ROOT)
    interpolate("${sede}", ("key",))
    assert interpolate.faults[0].hint == "did you mean 'seed'?"


def test_escaped_text_is_read_back_unchanged() -> None:
    value = {"a": ["${seed}", "\\${x}", "plain"]}
    assert resolved(escape(value)) == value

"""``-r key=value``."""

from __future__ import annotations

from typing import Any

import pytest

from mtt.errors import ConfigError
from mtt.options.yaml.load import parse
from mtt.options.yaml.overrides import apply_overrides, deep_merge

TEXT = """
seed: 1
training_set: a.xyz
other_set:
  systems: a.xyz
  targets: {energy: {key: E, forces: on}}
list_set: [{systems: a.xyz}, {systems: b.xyz}]
architecture: {training: {atomic_baseline: {energy: {1: -13.6}}, loss: mse}}
"""


def overridden(*overrides: str) -> Any:
    document = parse(TEXT, "o.yaml")
    apply_overrides(document, overrides)
    return document.values


def test_values_are_yaml_and_keys_may_be_new() -> None:
    values = overridden("seed=1e-3", "a.b.c=[1, No]", "device=null", "x=", "t='1e-3'", "e=a=b")
    assert values["seed"] == 1e-3
    assert values["a"] == {"b": {"c": [1, "No"]}}
    assert values["device"] is None
    assert values["x"] is None
    assert values["t"] == "1e-3"
    assert values["e"] == "a=b"


def test_later_overrides_win() -> None:
    assert overridden("seed=2", "seed=3")["seed"] == 3


def test_items_of_lists_are_reached_by_their_number() -> None:
    values = overridden("list_set[0].systems=c.xyz", "list_set.1.systems=d.xyz")
    assert values["list_set"] == [{"systems": "c.xyz"}, {"systems": "d.xyz"}]


def test_integer_keys_are_reached() -> None:
    values = overridden("architecture.training.atomic_baseline.energy.1=-0.5")
    assert values["architecture"]["training"]["atomic_baseline"]["energy"] == {1: -0.5}


def test_a_mapping_is_merged_and_anything_else_replaced() -> None:
    training = overridden("architecture.training={num_epochs: 3}")["architecture"]["training"]
    assert training["num_epochs"] == 3
    assert training["loss"] == "mse"
    loss = overridden("architecture.training.loss={energy: mae}")["architecture"]["training"][
        "loss"
    ]
    assert loss == {"energy": "mae"}


def test_a_short_form_is_spelled_out_to_add_to_it() -> None:
    values = overridden(
        "training_set.targets.energy.key=U",
        "other_set.systems.length_unit=bohr",
        "other_set.targets.energy.forces.key=F",
    )
    assert values["training_set"]["systems"] == {"read_from": "a.xyz"}
    assert values["training_set"]["targets"]["energy"] == {"read_from": "a.xyz", "key": "U"}
    assert values["other_set"]["systems"] == {"read_from": "a.xyz", "length_unit": "bohr"}
    assert values["other_set"]["targets"]["energy"] == {"key": "E", "forces": {"key": "F"}}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", r"-r seed: an override is written key\.key=value"),
        ("=3", r"-r =3: an override is written"),
        ("a..b=3", r"-r a\.\.b=3: an override is written"),
        ("seed=[1", r"-r seed=\[1:1:3: not valid YAML"),
        ("list_set[2].x=1", r"-r list_set\[2\]\.x=1: 2 is not an item of a list of 2"),
        ("architecture.training.loss.energy=mae", r"'mse' has no keys; give the whole value"),
        ("list_set.x=1", r"'x' is not an item of a list of 2"),
    ],
)
def test_an_override_that_cannot_be_applied_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        overridden(override)


def test_places_name_the_override() -> None:
    document = parse(TEXT, "o.yaml")
    apply_overrides(document, ["architecture.training.loss={energy: mae}"])
    where = document.places.where
    loss = ("architecture", "training", "loss")
    assert where(loss) == "-r architecture.training.loss={energy: mae}"
    assert where((*loss, "energy")).endswith("{energy: mae} architecture.training.loss.energy")
    assert where(("seed",)) == "o.yaml:2 seed"


def test_merging_changes_neither_side() -> None:
    below, above = {"a": {"b": 1}}, {"a": {"c": 2}}
    assert deep_merge(below, above) == {"a": {"b": 1, "c": 2}}
    assert below == {"a": {"b": 1}}
    assert above == {"a": {"c": 2}}

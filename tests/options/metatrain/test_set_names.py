"""Names of data sets in the options."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from mtt.options import Options, load_eval_options

HEAD = "architecture: {name: soap_bpnn}\n"
Reader = Callable[..., Options]
Refused = Callable[..., list[str]]


def names_of(read: Reader, validation: str, training: str = "t.xyz") -> list[str]:
    options = read(f"{HEAD}training_set: {training}\nvalidation_set: {validation}\n")
    return [one.name for one in options.validation_set]


@pytest.mark.parametrize(
    ("sets", "names"),
    [
        ("[data/bulk.xyz, surface.extxyz]", ["bulk", "surface"]),
        ("[a/water.xyz, b/water.xyz, ice.xyz]", ["water_0", "water_1", "ice"]),
        ("['two words.xyz', 'a:b.xyz']", ["two_words", "a_b"]),
        (
            "[{name: bulk, systems: a.xyz, targets: {energy: a.xyz}}, b.xyz]",
            ["bulk", "b"],
        ),
        ("[{name: b, systems: a.xyz, targets: {energy: a.xyz}}, b.xyz]", ["b", "b_1"]),
        ("one.xyz", [""]),
        ("[one.xyz]", [""]),
        ("{name: bulk, systems: a.xyz, targets: {energy: a.xyz}}", ["bulk"]),
    ],
)
def test_several_sets_are_called_as_the_user_says_or_like_their_files(
    read: Reader, sets: str, names: list[str]
) -> None:
    assert names_of(read, sets) == names


def test_training_sets_have_the_names_that_are_written_and_no_others(read: Reader) -> None:
    training = "[{name: bulk, systems: a.xyz, targets: {energy: a.xyz}}, b.xyz]"
    options = read(f"{HEAD}training_set: {training}\nvalidation_set: 0.1\n")
    assert [one.name for one in options.training_set] == ["bulk", ""]


def test_names_are_written_out_with_the_options(read: Reader) -> None:
    text = f"{HEAD}training_set: t.xyz\nvalidation_set: [a/w.xyz, b/w.xyz]\n"
    written = yaml.safe_load(read(text).to_yaml())
    assert [one["name"] for one in written["validation_set"]] == ["w_0", "w_1"]
    assert "name" not in written["training_set"][0]


def test_a_name_that_occurs_twice_is_refused(refused: Refused) -> None:
    one = "{name: bulk, systems: a.xyz, targets: {energy: a.xyz}}"
    text = f"{HEAD}training_set: t.xyz\nvalidation_set: [{one}, {one}]\n"
    lines = "\n".join(refused(text))
    assert "validation_set[1].name: two data sets are called 'bulk'" in lines


@pytest.mark.parametrize("name", ["two words", "a/b", "a:b"])
def test_a_name_that_no_metric_can_begin_with_is_refused(refused: Refused, name: str) -> None:
    one = f"{{name: '{name}', systems: a.xyz, targets: {{energy: a.xyz}}}}"
    lines = "\n".join(refused(f"{HEAD}training_set: t.xyz\nvalidation_set: {one}\n"))
    assert f"validation_set.name: {name!r} is not a valid name of a data set" in lines


def test_a_name_belongs_to_a_data_set_and_not_to_indices(refused: Refused) -> None:
    text = f"{HEAD}training_set: t.xyz\nvalidation_set: {{name: bulk, indices: [0]}}\n"
    assert "validation_set.systems: missing key" in "\n".join(refused(text))


def test_the_sets_of_an_evaluation_may_have_names() -> None:
    one, other = load_eval_options([{"systems": "a.xyz", "name": "bulk"}, {"systems": "b.xyz"}])
    assert (one.name, other.name) == ("bulk", "")

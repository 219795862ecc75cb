"""YAML to values: the dialect, the lines, and what is not YAML."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mtt.errors import ConfigError
from mtt.options import load_document, read_yaml, to_yaml
from mtt.options.yaml.load import parse

Writer = Callable[[str], Path]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-1.5e+2", -150.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("1_000", 1000),
        ("1_000.5", 1000.5),
        ("+3", 3),
        ("0x10", 16),
        ("0", 0),
        ("-0", 0),
        ("on", True),
        ("No", False),
        ("yes", True),
        ("OFF", False),
        ("True", True),
        ("~", None),
        ("", None),
        ("null", None),
        ("2020-01-01", "2020-01-01"),
        ("2020-01-01 10:00:00", "2020-01-01 10:00:00"),
        ("010", "010"),
        ("1:30", "1:30"),
        ("0o17", "0o17"),
        ("1.0D-01", "1.0D-01"),
        ("'on'", "on"),
        ('"1e-3"', "1e-3"),
        ("!!str 10", "10"),
        ("!!float 3", 3.0),
        ("y", "y"),
        ("mtt::x", "mtt::x"),
    ],
)
def test_a_plain_scalar_is_read_in_the_dialect_of_options_files(text: str, value: Any) -> None:
    read = parse(f"key: {text}", "o.yaml").values["key"]
    assert read == value
    assert type(read) is type(value)


def test_infinity_and_nan_are_read_for_validation_to_refuse() -> None:
    values = parse("a: .inf\nb: -.INF\nc: .nan", "o.yaml").values
    assert values["a"] == math.inf
    assert values["b"] == -math.inf
    assert math.isnan(values["c"])


def test_nobelium_stays_text_in_lists_and_keys() -> None:
    values = parse("a: [H, No, on]\nb: {No: 1, on: 2, 1: 3}\nc: no", "o.yaml").values
    assert values == {"a": ["H", "No", "on"], "b": {"No": 1, "on": 2, 1: 3}, "c": False}


def test_anchors_and_merge_keys_are_resolved() -> None:
    text = "a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd:\n  <<: [*a, {z: 4}]\n"
    values = parse(text, "o.yaml").values
    assert values["b"] == {"x": 1, "y": 2}
    assert values["c"] == {"x": 1, "y": 3}
    assert values["d"] == {"x": 1, "y": 2, "z": 4}


def test_every_key_and_item_knows_its_line() -> None:
    document = parse("a:\n  b:\n  - 1\n  - c: 2\n", "o.yaml")
    assert document.places.where(("a", "b")) == "o.yaml:2 a.b"
    assert document.places.where(("a", "b", 1, "c")) == "o.yaml:4 a.b[1].c"
    assert document.places.where(("a", "b", 0)) == "o.yaml:3 a.b[0]"
    assert document.places.where(("a", "d", "e")) == "o.yaml:1 a.d.e"
    assert document.places.where(("x",)) == "o.yaml x"


def test_duplicate_keys_are_all_reported_with_both_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", "o.yaml")
    assert str(caught.value).splitlines() == [
        "o.yaml:4:3 b.c: duplicate key, first given on line 3; keep one of the two",
        "o.yaml:5:1 a: duplicate key, first given on line 1; keep one of the two",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\tb: 1", r"o.yaml:2:1: not valid YAML: .*; YAML is indented with spaces, not tabs"),
        ("a: [1,\nb: 2", r"o.yaml:2:5: not valid YAML: .* line 1\); a bracket is not closed"),
        ("a: 'x", r"o.yaml:1:6: not valid YAML: .*quoted scalar"),
        ("a: b: c", r"o.yaml:1:5: not valid YAML: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2", r"o.yaml:2:1: not valid YAML: but found another document"),
        ("a: *x", r"o.yaml:1:4: not valid YAML: found undefined alias 'x'"),
        ("a: &x [*x]", r"o.yaml:1:4 a\[0\]: an alias refers to a value that contains it"),
        ("a: \x07", r"o.yaml:1:4: the character '\\x07' is not allowed in YAML"),
        ("null: 1", r"o.yaml:1:1: the key 'null' is not a name or an integer"),
        ("1.5: 1", r"o.yaml:1:1: the key '1.5' is not a name or an integer"),
        ("true: 1", r"o.yaml:1:1: the key 'true' is not a name or an integer"),
        ("a: {<<: 3}", r"o.yaml:1:9 a: '<<' merges mappings only"),
        ("a: !!int x", r"o.yaml:1:4 a: 'x' cannot be read as !!int"),
        ("a: !!set {x}", r"o.yaml:1:4 a: the tag !!set is not allowed"),
        ("a: !mine 3", r"o.yaml:1:4 a: '3' cannot be read as"),
    ],
)
def test_what_is_not_an_options_file_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text, "o.yaml")


def test_a_missing_file_names_its_neighbours(write: Writer) -> None:
    write("a: 1")
    with pytest.raises(ConfigError, match=r"optoins.yaml: no such file; \. holds options.yaml"):
        load_document("optoins.yaml")
    with pytest.raises(ConfigError, match=r"nowhere/o\.yaml: no such file; check the path"):
        load_document("nowhere/o.yaml")


def test_a_folder_and_a_binary_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_document(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(ConfigError, match="is a checkpoint or an exported model, not an options"):
        load_document(tmp_path / "model.pt")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ConfigError, match="not a text file; options are YAML in UTF-8"):
        load_document(tmp_path / "picture.png")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(tmp_path / "o.yaml") == {"a": 1}


def test_a_dict_is_taken_in_place_of_a_file() -> None:
    document = load_document({"a": Path("x"), "b": (1, np.float64(2.5)), "c": {1: np.int64(3)}})
    assert document.values == {"a": "x", "b": [1, 2.5], "c": {1: 3}}
    assert document.places.where(("b", 0)) == "b[0]"


def test_a_dict_with_other_things_in_it_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"a\.b: a set is not an option"):
        load_document({"a": {"b": {1}}})
    with pytest.raises(ConfigError, match=r"a: the key \(1,\) is not text or an integer"):
        load_document({"a": {(1,): 2}})


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
keys = st.text() | st.integers()
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)
)


@settings(deadline=None, max_examples=60)
@given(values)
@example("\x85")
@example("line\nbreak\r\n \u2028")
@example({"\x85": ["\x85"]})
def test_values_written_as_yaml_read_back_the_same(value: Any) -> None:
    assert parse(to_yaml({"key": value}), "o.yaml").values == {"key": value}


@pytest.mark.parametrize(
    "text", ["1e-3", "No", "on", "010", "1:30", "1_0", "~", "", "<<", "0x1", ".inf"]
)
def test_text_that_looks_like_something_else_is_written_as_text(text: str) -> None:
    written = to_yaml({text: text, "list": [text]})
    assert parse(written, "o.yaml").values == {text: text, "list": [text]}

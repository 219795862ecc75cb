"""From the file to options: defaults, precedence, all mistakes at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from mtt.errors import ArchitectureError, ConfigError
from mtt.options import (
    SCHEMA_PATH,
    Options,
    load_eval_options,
    load_options,
    resolve,
)

HEAD = "architecture: {name: soap_bpnn}\n"
DATA = "training_set: a.xyz\nvalidation_set: 0.1\n"
Reader = Callable[..., Options]
Refused = Callable[..., list[str]]
Writer = Callable[[str], Path]


def test_precedence_is_platform_folder_file_override(read: Reader) -> None:
    text = f"architecture: {{name: soap_bpnn, training: {{num_epochs: 7}}}}\n{DATA}"
    training = read(text, ["architecture.training.log_interval=9"]).architecture["training"]
    assert training["learning_rate"] == 1e-3  # platform
    assert training["batch_size"] == 4  # folder
    assert training["num_epochs"] == 7  # file
    assert training["log_interval"] == 9  # override
    overridden = read(text, ["architecture.training.num_epochs=8"]).architecture
    assert overridden["training"]["num_epochs"] == 8


def test_hypers_are_merged_key_by_key(read: Reader) -> None:
    text = f"architecture: {{name: soap_bpnn, model: {{width: 8}}}}\n{DATA}"
    assert read(text).architecture["model"] == {"cutoff": 5.0, "width": 8, "layers": 2, "bits": 64}


def test_an_unset_precision_is_that_of_the_model(read: Reader) -> None:
    assert read(HEAD + DATA).architecture["model"]["bits"] == 64
    assert read("base_precision: 32\n" + HEAD + DATA).architecture["model"]["bits"] == 32


def test_a_mistake_in_an_override_names_the_override(refused: Refused) -> None:
    assert refused(HEAD + DATA, "architecture.model.cutof=3", "seed=x") == [
        "-r architecture.model.cutof=3: unknown key; did you mean 'cutoff'?",
        "-r seed=x: expected an integer or null, got the text 'x'",
    ]


def test_mistakes_in_a_dict_are_placed_by_their_keys(toy: Any) -> None:
    raw = load_options({"architecture": {"name": "soap_bpnn"}, "training_set": {"system": 1}})
    with pytest.raises(ConfigError) as caught:
        resolve(raw, toy)
    lines = str(caught.value).splitlines()
    assert "training_set.system: unknown key; did you mean 'systems'?" in lines
    assert "training_set.targets: missing key; add 'targets:' here" in lines


def test_a_dict_gives_the_same_options_as_a_file(read: Reader, toy: Any) -> None:
    options = {
        "seed": 1,
        "architecture": {"name": "soap_bpnn", "atomic_types": ("H", 8)},
        "training_set": {"systems": Path("a.xyz"), "targets": {"energy": {"forces": True}}},
        "validation_set": {"indices": [1]},
    }
    text = (
        "seed: 1\narchitecture: {name: soap_bpnn, atomic_types: [H, O]}\ntraining_set:\n"
        "  systems: a.xyz\n  targets: {energy: {forces: on}}\nvalidation_set: {indices: [1]}\n"
    )
    assert resolve(load_options(options), toy) == read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "options.yaml: the options are empty"),
        ("# nothing\n", "options.yaml: the options are empty"),
        ("- a\n", "options.yaml: options are a mapping of keys to values"),
        ("just text\n", "options.yaml: options are a mapping of keys to values"),
    ],
)
def test_a_file_without_options_is_refused(write: Writer, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_options(write(text))


def test_without_a_name_all_other_mistakes_are_reported_too(write: Writer) -> None:
    raw = load_options(write("architecture: {nam: x}\ntraining_set: a.xyz\n"))
    with pytest.raises(ConfigError) as caught:
        _ = raw.architecture_name
    lines = str(caught.value).splitlines()
    assert "options.yaml:1 architecture.nam: unknown key; did you mean 'name'?" in lines
    assert "options.yaml:1 architecture.name: missing key; add 'name:' here" in lines
    assert any("validation_set: missing key" in line for line in lines)


def test_errors_from_elsewhere_get_their_line_and_company(write: Writer) -> None:
    raw = load_options(write("sed: 1\narchitecture:\n  name: soup\n" + DATA))
    with pytest.raises(ArchitectureError) as caught, raw.locating():
        raise ArchitectureError("there is no 'soup'")
    assert str(caught.value).splitlines() == [
        "options.yaml:1 sed: unknown key; did you mean 'seed'?",
        "options.yaml:3 architecture.name: there is no 'soup'",
    ]
    with pytest.raises(ConfigError, match=r"options.yaml:3 architecture.name: b"), raw.locating():
        raise ConfigError("bad", where="architecture.name")
    with pytest.raises(ConfigError, match=r"other.yaml:1: bad"), raw.locating():
        raise ConfigError("bad", where="other.yaml:1")


def test_the_seed_is_drawn_once_and_written_down(read: Reader, write: Writer, toy: Any) -> None:
    options = read(HEAD + DATA)
    assert 0 <= options.seed < 2**31
    assert resolve(load_options(write(options.to_yaml())), toy).seed == options.seed


def test_options_are_frozen(read: Reader) -> None:
    options = read(HEAD + DATA)
    with pytest.raises(FrozenInstanceError):
        options.seed = 1  # type: ignore[misc]
    assert replace(options, seed=5).to_yaml().count("seed: 5") == 1


def test_resolving_twice_shares_nothing(write: Writer, toy: Any) -> None:
    raw = load_options(write(HEAD + DATA + "seed: 1\n"))
    first = resolve(raw, toy)
    first.architecture["training"]["finetune"]["config"]["x"] = 1
    first.architecture["model"]["cutoff"] = 1
    second = resolve(raw, toy)
    assert second.architecture["training"]["finetune"]["config"] == {}
    assert second.architecture["model"]["cutoff"] == 5.0


def test_text_with_a_dollar_survives_the_round(read: Reader, write: Writer, toy: Any) -> None:
    options = read(HEAD + "training_set: '\\${x}.xyz'\nvalidation_set: 0.1\n")
    assert options.training_set[0].systems.read_from == "${x}.xyz"
    assert resolve(load_options(write(options.to_yaml())), toy) == options


def test_the_schema_is_where_editors_can_find_it() -> None:
    assert Path(SCHEMA_PATH).is_file()


def test_reading_options_imports_no_torch() -> None:
    code = "import sys, mtt.options; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_options_of_a_training_are_recognised_where_a_data_set_is_expected() -> None:
    options = {"architecture": {"name": "pet"}, "training_set": {"systems": "a.xyz"}}
    text = "these are the options of a training; here the keys systems and targets are expected"
    with pytest.raises(ConfigError, match=text):
        load_eval_options(options)

"""What can be wrong in an options file: one message, exit 1, nothing left on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Options = dict[str, Any]
Write = Callable[..., Path]
Refused = Callable[..., str]


def misspelt_key(options: Options) -> None:
    options["architecture"]["training"]["batchsize"] = 4


def misspelt_section(options: Options) -> None:
    options["trainning_set"] = options.pop("training_set")


def wrong_type(options: Options) -> None:
    options["architecture"]["training"]["num_epochs"] = "many"


def wrong_value(options: Options) -> None:
    options["architecture"]["model"]["soap"]["cutoff"]["radius"] = -1.0


def unknown_architecture(options: Options) -> None:
    options["architecture"]["name"] = "soap_bpn"


def missing_data(options: Options) -> None:
    options["training_set"]["systems"]["read_from"] = "nowhere.xyz"


def wrong_key(options: Options) -> None:
    options["training_set"]["targets"]["energy"]["key"] = "enery"


def missing_forces_key(options: Options) -> None:
    options["training_set"]["targets"]["energy"]["forces"] = {"key": "F"}


def empty_validation(options: Options) -> None:
    options["validation_set"] = 0.01


def no_validation(options: Options) -> None:
    options["validation_set"] = 0.0


def all_for_validation(options: Options) -> None:
    options["validation_set"] = 0.9
    options["test_set"] = 0.1


def index_outside(options: Options) -> None:
    options["validation_set"] = {"indices": [3, 20]}


def wrong_device(options: Options) -> None:
    options["device"] = "tpu"


def wrong_unit(options: Options) -> None:
    options["training_set"]["targets"]["energy"]["unit"] = "eW"


def training(**options: Any) -> Callable[[Options], None]:
    return lambda written: written["architecture"]["training"].update(options)


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        (misspelt_key, ["options.yaml:22 architecture.training.batchsize", "'batch_size'"]),
        (misspelt_section, ["options.yaml:", "trainning_set", "'training_set'"]),
        (wrong_type, ["options.yaml:21 architecture.training.num_epochs", "many", "integer"]),
        (wrong_value, ["options.yaml:", "architecture.model.soap.cutoff.radius", "-1"]),
        (unknown_architecture, ["options.yaml:5 architecture.name", "'soap_bpnn'"]),
        (missing_data, ["options.yaml:26 training_set.systems.read_from: nowhere.xyz: no such"]),
        (wrong_key, ["ethanol.xyz: no 'enery' in any structure", "'energy'"]),
        (missing_forces_key, ["ethanol.xyz: no 'F' in any structure", "energy.forces.key"]),
        (empty_validation, ["validation", "20 structures"]),
        (no_validation, ["options.yaml:", "validation_set: there are no structures", "0.1"]),
        (all_for_validation, ["validation_set", "test_set", "training"]),
        (index_outside, ["20", "validation"]),
        (training(best_model_metric="stress RMSE"), ["best_model_metric", "'forces RMSE'"]),
        (training(fixed_scaling_weights={"enrgy": 1.0}), ["fixed_scaling_weights", "'enrgy'"]),
        (training(atomic_baseline={"enrgy": 1.0}), ["atomic_baseline", "did you mean 'energy'"]),
        (training(per_structure_targets=["gap"]), ["per_structure_targets", "'gap'"]),
        (training(loss={"enrgy": "mse"}), ["architecture.training.loss", "'energy'"]),
        (training(max_atoms_per_batch=3), ["ethanol.xyz, frame", "at least 9 atoms per batch"]),
        (training(min_atoms_per_batch=9999), ["architecture.training: 14 structures do not fill"]),
        (wrong_device, ["options.yaml:", "device", "tpu"]),
        (wrong_unit, ["options.yaml:31 training_set.targets.energy.unit", "'eW'"]),
    ],
)
def test_wrong_options(
    tiny: Options,
    write: Write,
    refused: Refused,
    change: Callable[[Options], None],
    texts: list[str],
) -> None:
    change(tiny)
    write(tiny)
    message = refused("train", "options.yaml")
    for text in texts:
        assert text in message
    assert refused("train", "options.yaml", "--dry-run") == message


def test_all_mistakes_are_told_at_once(tiny: Options, write: Write, refused: Refused) -> None:
    misspelt_key(tiny)
    wrong_type(tiny)
    wrong_device(tiny)
    write(tiny)
    message = refused("train", "options.yaml")
    assert all(text in message for text in ("batchsize", "num_epochs", "tpu"))


def test_a_key_that_stands_twice(refused: Refused) -> None:
    Path("options.yaml").write_text("seed: 1\narchitecture:\n  name: soap_bpnn\nseed: 2\n")
    message = refused("train", "options.yaml")
    assert "options.yaml:4:1 seed: duplicate key" in message
    assert "line 1" in message


def test_a_file_that_is_no_yaml(refused: Refused) -> None:
    Path("options.yaml").write_text("seed: [1\narchitecture: {\n")
    assert "options.yaml:2" in refused("train", "options.yaml")


def test_an_options_file_that_is_missing(refused: Refused) -> None:
    Path("option.yaml").touch()
    message = refused("train", "options.yaml")
    assert "options.yaml: no such file" in message
    assert "option.yaml" in message


def test_an_override_of_an_unknown_key(tiny: Options, write: Write, refused: Refused) -> None:
    write(tiny)
    message = refused("train", "options.yaml", "-r", "architecture.training.num_epoch=3")
    assert "num_epoch" in message
    assert "'num_epochs'" in message

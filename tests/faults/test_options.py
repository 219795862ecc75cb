"""Mistakes in an options file: one message, exit code 1, and a disk as it was before."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt import registry
from mtt.options import load_options, resolve

Options = dict[str, Any]
Write = Callable[..., Path]
Refused = Callable[..., str]
RefusedAfter = Callable[[Callable[[Options], None], list[str]], None]
Mtt = Callable[..., Any]

# ------------------------------------------------------------------------- what is written


def test_three_mistakes_make_one_report(refused: Refused) -> None:
    Path("options.yaml").write_text(
        "architecture:\n  name: soap_bpnn\n  model:\n    soap: {cutof: 5.0}\n  training:\n"
        "    num_epochs: many\nvalidation_set: 0.1\n"
    )
    message = refused("train", "options.yaml")
    assert message.removeprefix("error: ").splitlines() == [
        "options.yaml training_set: missing key; add 'training_set:' here",
        "options.yaml:4 architecture.model.soap.cutof: unknown key; did you mean 'cutoff'?",
        "options.yaml:6 architecture.training.num_epochs: expected an integer, got the text 'many'",
    ]
    assert refused("train", "options.yaml", "--dry-run") == message


def test_a_duplicate_key_is_reported_with_both_lines(refused: Refused) -> None:
    Path("options.yaml").write_text("seed: 1\narchitecture:\n  name: soap_bpnn\nseed: 2\n")
    message = refused("train", "options.yaml")
    assert "options.yaml:4:1 seed: duplicate key, first given on line 1" in message


def test_what_yaml_takes_for_something_else_is_read_as_meant(tiny: Options, write: Write) -> None:
    tiny["architecture"]["atomic_types"] = ["NO_QUOTES", "H", "C", "O"]
    tiny["architecture"]["training"]["learning_rate"] = "E"
    path = write(tiny)
    path.write_text(path.read_text().replace('"NO_QUOTES"', "No").replace('"E"', "1e-3"))
    architecture = registry.find("soap_bpnn").load()
    hypers = resolve(load_options(path), architecture).architecture
    assert hypers["training"]["learning_rate"] == 1e-3
    assert hypers["atomic_types"] == [1, 6, 8, 102]


@pytest.mark.parametrize(
    ("key", "number", "text"),
    [
        ("seed", "010", "numbers have no leading zero"),
        ("architecture.training.num_epochs", "1:30", "write one number"),
        ("architecture.training.batch_size", "8.0", "expected an integer, got 8.0; write 8"),
        ("architecture.training.learning_rate", ".inf", "numbers must be finite"),
        ("architecture.model.soap.cutoff.radius", ".nan", "numbers must be finite"),
        ("validation_set", "-.inf", "numbers must be finite"),
    ],
)
def test_numbers_that_are_none_are_refused_with_their_line(
    tiny: Options, write: Write, refused: Refused, key: str, number: str, text: str
) -> None:
    section = tiny
    *above, last = key.split(".")
    for name in above:
        section = section[name]
    section[last] = "NUMBER"
    lines = write(tiny).read_text().replace('"NUMBER"', number).splitlines()
    Path("options.yaml").write_text("\n".join(lines))
    (line,) = (i for i, written in enumerate(lines, 1) if written.endswith((number, f"{number},")))
    message = refused("train", "options.yaml")
    assert message.startswith(f"error: options.yaml:{line} {key}: ")
    assert text in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "options.yaml: the options are empty"),
        ("# nothing\n", "options.yaml: the options are empty"),
        ("architecture:\n\tname: soap_bpnn\n", "options.yaml:2:1: not valid YAML"),
        ("seed: [1\narchitecture: {\n", "options.yaml:2:13: not valid YAML"),
        ("seed: !!python/object/apply:os.mkdir [made]\n", "options.yaml:1:7 seed: the tag"),
        ("seed: !!python/name:os.system x\n", "options.yaml:1:7 seed: 'x' cannot be read"),
        ("seed: \x07\n", r"options.yaml:1:7: the character '\x07' is not allowed"),
        (None, "options.yaml: no such file; . holds option.yaml"),
    ],
)
def test_a_file_that_is_not_an_options_file_is_reported_with_its_place_and_runs_nothing(
    refused: Refused, text: str | None, message: str
) -> None:
    Path("option.yaml").touch()
    if text is not None:
        Path("options.yaml").write_text(text)
    assert message in refused("train", "options.yaml")  # the folder "made" would be seen


# ------------------------------------------------------------------------- architectures


@pytest.fixture
def own(root: Path) -> Path:
    """A folder of architectures: one is whole, one lacks a dependency, one does not parse."""
    whole = root / "examples" / "architecture" / "gaussians"
    for name in ("gaussians", "needy", "broken"):
        shutil.copytree(whole, f"own/{name}", ignore=shutil.ignore_patterns("__pycache__"))
        hypers = Path("own", name, "default-hypers.yaml")
        hypers.write_text(hypers.read_text().replace("name: gaussians", f"name: {name}"))
    model = Path("own/needy/model.py")
    model.write_text(f"import absent_package\n{model.read_text()}")
    Path("own/broken/__init__.py").write_text('"""Broken."""\ndef (:\n')
    return Path("own")


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("soap_bpn", ["options.yaml:6 architecture.name", "did you mean 'soap_bpnn'"]),
        ("utils", ["options.yaml:6 architecture.name", "unknown architecture 'utils'", "known"]),
        ("data", ["options.yaml:6 architecture.name", "unknown architecture 'data'"]),
        ("needy", ["own/needy/model.py:1: ", "'needy'", "needs 'absent_package'; pip install"]),
        ("broken", ["own/broken/__init__.py:2: ", "'broken'", "SyntaxError: invalid syntax"]),
    ],
)
def test_an_architecture_that_cannot_be_used_is_named_with_the_first_cause(
    tiny: Options, write: Write, refused: Refused, own: Path, name: str, texts: list[str]
) -> None:
    tiny["architecture"] = {"name": name}
    write(tiny)
    message = refused("train", "options.yaml", "--architectures", own)
    for text in texts:
        assert text in message


def test_a_broken_architecture_disturbs_no_other(
    tiny: Options, write: Write, mtt: Mtt, own: Path
) -> None:
    listed = mtt("architectures", "--architectures", own)
    assert (listed.code, listed.err) == (0, "")
    assert all(name in listed.out for name in ("gaussians", "needy", "broken", "soap_bpnn"))
    tiny["architecture"] = {"name": "gaussians"}
    write(tiny)
    done = mtt("train", "options.yaml", "--architectures", own, "--dry-run")
    assert (done.code, done.err) == (0, "")


# ------------------------------------------------------------------------- single mistakes


def misspelt_key(options: Options) -> None:
    options["architecture"]["training"]["batchsize"] = 4


def misspelt_section(options: Options) -> None:
    options["trainning_set"] = options.pop("training_set")


def wrong_type(options: Options) -> None:
    options["architecture"]["training"]["num_epochs"] = "many"


def wrong_value(options: Options) -> None:
    options["architecture"]["model"]["soap"]["cutoff"]["radius"] = -1.0


def wrong_width(options: Options) -> None:
    options["architecture"]["model"]["soap"]["cutoff"]["width"] = 9.0


def wrong_device(options: Options) -> None:
    options["device"] = "tpu"


def wrong_unit(options: Options) -> None:
    options["training_set"]["targets"]["energy"]["unit"] = "eW"


def missing_data(options: Options) -> None:
    options["training_set"]["systems"]["read_from"] = "nowhere.xyz"


def training(**options: Any) -> Callable[[Options], None]:
    return lambda written: written["architecture"]["training"].update(options)


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        (misspelt_key, ["options.yaml:23 architecture.training.batchsize", "'batch_size'"]),
        (misspelt_section, ["options.yaml:", "trainning_set", "'training_set'"]),
        (wrong_type, ["options.yaml:22 architecture.training.num_epochs", "many", "integer"]),
        (wrong_value, ["options.yaml:", "architecture.model.soap.cutoff.radius", "-1"]),
        (wrong_width, ["options.yaml:7 architecture.model: ", "width 9.0, cutoff 2.5"]),
        (missing_data, ["options.yaml:27 training_set.systems.read_from: nowhere.xyz: no such"]),
        (training(best_model_metric="stress RMSE"), ["best_model_metric", "'forces RMSE'"]),
        (training(fixed_scaling_weights={"enrgy": 1.0}), ["fixed_scaling_weights", "'enrgy'"]),
        (training(atomic_baseline={"enrgy": 1.0}), ["atomic_baseline", "did you mean 'energy'"]),
        (training(atomic_baseline={"energy": float("nan")}), ["atomic_baseline.energy", "finite"]),
        (training(per_structure_targets=["gap"]), ["per_structure_targets", "'gap'"]),
        (training(loss={"enrgy": "mse"}), ["architecture.training.loss", "'energy'"]),
        (wrong_device, ["options.yaml:", "device", "tpu"]),
        (wrong_unit, ["options.yaml:32 training_set.targets.energy.unit", "'eW'"]),
    ],
)
def test_wrong_options(
    refused_after: RefusedAfter, change: Callable[[Options], None], texts: list[str]
) -> None:
    refused_after(change, texts)


def test_an_override_of_an_unknown_key(tiny: Options, write: Write, refused: Refused) -> None:
    write(tiny)
    message = refused("train", "options.yaml", "-r", "architecture.training.num_epoch=3")
    assert "num_epoch" in message
    assert "'num_epochs'" in message

"""Everything that a user can get wrong: one clear message, exit 1, nothing left on disk."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import torch

Options = dict[str, Any]
Mtt = Callable[..., Any]
Write = Callable[..., Path]
Listing = Callable[[], dict[str, bytes]]


@pytest.fixture
def refused(mtt: Mtt, listing: Listing) -> Callable[..., str]:
    """Run a command that must fail: its one message; the disk is as it was."""

    def refused(*arguments: str | Path) -> str:
        before = listing()
        done = mtt(*arguments)
        assert done.code == 1, done.err
        assert done.err.count("error: ") == 1
        assert "Traceback" not in done.out + done.err
        assert listing() == before
        return str(done.err)

    return refused


@pytest.fixture
def frames(ethanol: Path) -> list[Any]:
    found: list[Any] = ase.io.read(ethanol, ":")
    return found


# ---------------------------------------------------------------------------- options


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


def all_for_validation(options: Options) -> None:
    options["validation_set"] = 0.9
    options["test_set"] = 0.1


def index_outside(options: Options) -> None:
    options["validation_set"] = {"indices": [3, 20]}


def wrong_device(options: Options) -> None:
    options["device"] = "tpu"


def wrong_unit(options: Options) -> None:
    options["training_set"]["targets"]["energy"]["unit"] = "eW"


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
        (all_for_validation, ["validation_set", "test_set", "training"]),
        (index_outside, ["20", "validation"]),
        (wrong_device, ["options.yaml:", "device", "tpu"]),
        (wrong_unit, ["options.yaml:31 training_set.targets.energy.unit", "'eW'"]),
    ],
)
def test_wrong_options(
    tiny: Options,
    write: Write,
    refused: Callable[..., str],
    change: Callable[[Options], None],
    texts: list[str],
) -> None:
    change(tiny)
    write(tiny)
    message = refused("train", "options.yaml")
    for text in texts:
        assert text in message
    assert refused("train", "options.yaml", "--dry-run") == message


def test_all_mistakes_are_told_at_once(
    tiny: Options, write: Write, refused: Callable[..., str]
) -> None:
    misspelt_key(tiny)
    wrong_type(tiny)
    wrong_device(tiny)
    write(tiny)
    message = refused("train", "options.yaml")
    assert all(text in message for text in ("batchsize", "num_epochs", "tpu"))


def test_a_key_that_stands_twice(refused: Callable[..., str]) -> None:
    Path("options.yaml").write_text("seed: 1\narchitecture:\n  name: soap_bpnn\nseed: 2\n")
    message = refused("train", "options.yaml")
    assert "options.yaml:4:1 seed: duplicate key" in message
    assert "line 1" in message


def test_a_file_that_is_no_yaml(refused: Callable[..., str]) -> None:
    Path("options.yaml").write_text("seed: [1\narchitecture: {\n")
    assert "options.yaml:2" in refused("train", "options.yaml")


def test_an_options_file_that_is_missing(refused: Callable[..., str]) -> None:
    Path("option.yaml").touch()
    message = refused("train", "options.yaml")
    assert "options.yaml: no such file" in message
    assert "option.yaml" in message


def test_an_override_of_an_unknown_key(
    tiny: Options, write: Write, refused: Callable[..., str]
) -> None:
    write(tiny)
    message = refused("train", "options.yaml", "-r", "architecture.training.num_epoch=3")
    assert "num_epoch" in message
    assert "'num_epochs'" in message


# ------------------------------------------------------------------------------- data


def no_key(frames: list[Any]) -> None:
    frames[3].calc = None


def nan_position(frames: list[Any]) -> None:
    frames[3].positions[2, 1] = np.nan


def infinite_force(frames: list[Any]) -> None:
    frames[3].calc.results["forces"][0, 0] = np.inf


def zero_cell(frames: list[Any]) -> None:
    frames[3].pbc = True


def coincident_atoms(frames: list[Any]) -> None:
    frames[3].positions[1] = frames[3].positions[0]


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        (no_key, ["bad.xyz, frame 3", "'energy'"]),
        (nan_position, ["bad.xyz, frame 3", "positions"]),
        (infinite_force, ["bad.xyz, frame 3", "forces"]),
        (zero_cell, ["bad.xyz, frame 3", "cell", "pbc"]),
        (coincident_atoms, ["bad.xyz, frame 3", "atoms 0 and 1"]),
    ],
)
def test_bad_structures(
    tiny: Options,
    write: Write,
    refused: Callable[..., str],
    frames: list[Any],
    change: Callable[[list[Any]], None],
    texts: list[str],
) -> None:
    change(frames)
    ase.io.write("bad.xyz", frames, format="extxyz")
    tiny["training_set"]["systems"]["read_from"] = "bad.xyz"
    write(tiny)
    message = refused("train", "options.yaml")
    for text in texts:
        assert text in message


def test_text_instead_of_a_number(
    tiny: Options, write: Write, refused: Callable[..., str], ethanol: Path
) -> None:
    lines = ethanol.read_text().splitlines()
    lines[4 * 11 + 1] = lines[4 * 11 + 1].replace("energy=-", "energy=unknown-")
    Path("bad.xyz").write_text("\n".join(lines) + "\n")
    tiny["training_set"]["systems"]["read_from"] = "bad.xyz"
    write(tiny)
    message = refused("train", "options.yaml")
    assert "bad.xyz, frame 4" in message
    assert "unknown-" in message


def test_a_file_that_is_cut_short(
    tiny: Options, write: Write, refused: Callable[..., str], ethanol: Path
) -> None:
    Path("bad.xyz").write_text(ethanol.read_text()[:-200])
    tiny["training_set"]["systems"]["read_from"] = "bad.xyz"
    write(tiny)
    assert "bad.xyz" in refused("train", "options.yaml")


def test_an_element_only_in_the_validation_set(
    tiny: Options, write: Write, refused: Callable[..., str], frames: list[Any]
) -> None:
    frames[0].numbers[0] = 14
    ase.io.write("validation.xyz", frames[:4])
    tiny["validation_set"] = json.loads(json.dumps(tiny["training_set"]))
    tiny["validation_set"]["systems"]["read_from"] = "validation.xyz"
    write(tiny)
    message = refused("train", "options.yaml")
    assert "validation_set: Si stands in the validation set and not in the training set" in message


# ------------------------------------------------------------------------------ output


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("nowhere/model.pt", "nowhere/model.pt: "),
        ("model.ckpt/model.pt", "model.ckpt/model.pt: "),
        ("folder.pt", "folder.pt: "),
    ],
)
def test_an_output_that_cannot_be_written(
    tiny: Options, write: Write, refused: Callable[..., str], output: str, text: str, trained: Path
) -> None:
    Path("folder.pt").mkdir()
    Path("model.ckpt").write_text("not a folder")
    write(tiny)
    assert text in refused("train", "options.yaml", "-o", output)
    assert text in refused("export", trained / "model.ckpt", "-o", output)


# ------------------------------------------------------------------------- checkpoints


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def flipped(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
    content = bytearray(path.read_bytes())
    content[largest.header_offset + 200] ^= 8
    path.write_bytes(content)


def newer_format(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    torch.save({**content, "format_version": 99, "mtt_version": "9.0"}, path)


def newer_model(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    torch.save({**content, "model_ckpt_version": 99, "mtt_version": "9.0"}, path)


def of_another_architecture(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    torch.save({**content, "architecture_name": "soap_bpnm"}, path)


def text(path: Path) -> None:
    path.write_text("weights: 1\n")


def other_torch_file(path: Path) -> None:
    torch.save([1, 2, 3], path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = [
    (truncated, "damaged"),
    (flipped, "damaged"),
    (newer_format, "mtt >= 9.0"),
    (newer_model, "newer than"),
    (of_another_architecture, "'soap_bpnn'"),
    (text, "not a checkpoint"),
    (other_torch_file, "not a checkpoint"),
    (empty, "empty"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_checkpoints_that_cannot_be_used(
    tiny: Options,
    write: Write,
    refused: Callable[..., str],
    trained: Path,
    damage: Callable[[Path], None],
    message: str,
) -> None:
    bad = Path("bad.ckpt")
    bad.write_bytes((trained / "model.ckpt").read_bytes())
    damage(bad)
    write({"systems": tiny["training_set"]["systems"]}, "eval.yaml")
    Path("output.xyz").write_text("precious")
    Path("bad.pt").write_text("precious")
    write(tiny)
    told = [
        refused("train", "options.yaml", "--restart", "bad.ckpt"),
        refused("export", "bad.ckpt"),
        refused("eval", "bad.ckpt", "eval.yaml"),
    ]
    tiny["architecture"]["training"]["finetune"] = {"read_from": "bad.ckpt"}
    write(tiny)
    told.append(refused("train", "options.yaml"))
    for one in told:
        assert "bad.ckpt: " in one
        assert message in one


@pytest.mark.parametrize("damage", [truncated, flipped, text, empty])
def test_exported_models_that_cannot_be_used(
    tiny: Options,
    write: Write,
    refused: Callable[..., str],
    trained: Path,
    damage: Callable[[Path], None],
) -> None:
    bad = Path("bad.pt")
    bad.write_bytes((trained / "model.pt").read_bytes())
    damage(bad)
    write({"systems": tiny["training_set"]["systems"]}, "eval.yaml")
    assert "bad.pt: " in refused("eval", "bad.pt", "eval.yaml")


def test_a_model_where_a_checkpoint_belongs(
    tiny: Options, write: Write, refused: Callable[..., str], trained: Path
) -> None:
    write(tiny)
    for arguments in (
        ("train", "options.yaml", "--restart", trained / "model.pt"),
        ("export", trained / "model.pt", "-o", "again.pt"),
    ):
        assert "model.pt: this is an exported model" in refused(*arguments)


@pytest.mark.parametrize("command", ["show", "eval", "export", "stats", "pack"])
def test_a_file_that_is_missing(
    tiny: Options, write: Write, refused: Callable[..., str], command: str
) -> None:
    write({"systems": tiny["training_set"]["systems"]}, "eval.yaml")
    arguments = {
        "show": ("show", "nowhere.ckpt"),
        "eval": ("eval", "nowhere.ckpt", "eval.yaml"),
        "export": ("export", "nowhere.ckpt"),
        "stats": ("data", "stats", "nowhere.ckpt"),
        "pack": ("data", "pack", "nowhere.ckpt", "-o", "packed"),
    }[command]
    message = refused(*arguments)
    assert "nowhere.ckpt" in message
    assert "no such file" in message


def test_a_packed_folder_is_not_overwritten(
    tiny: Options, refused: Callable[..., str], ethanol: Path
) -> None:
    Path("packed").mkdir()
    Path("packed", "precious").write_text("data")
    assert "packed" in refused("data", "pack", ethanol, "-o", "packed")


def test_metadata_with_a_misspelt_key(refused: Callable[..., str], trained: Path) -> None:
    Path("metadata.yaml").write_text("author: [Ada]\n")
    message = refused("export", trained / "model.ckpt", "-m", "metadata.yaml")
    assert "metadata.yaml" in message
    assert "'authors'" in message


def test_data_that_the_model_does_not_know(
    write: Write, refused: Callable[..., str], trained: Path, alloy: Path
) -> None:
    write({"systems": str(alloy)}, "eval.yaml")
    for model in ("model.pt", "model.ckpt"):
        message = refused("eval", trained / model, "eval.yaml")
        assert "alloy.xyz, frame 0: the model does not know the element" in message
        assert "it knows H, C, O" in message

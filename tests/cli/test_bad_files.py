"""Checkpoints, models and outputs that cannot be used: one message, nothing overwritten."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

Options = dict[str, Any]
Write = Callable[..., Path]
Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("nowhere/model.pt", "nowhere/model.pt: "),
        ("model.ckpt/model.pt", "model.ckpt/model.pt: "),
        ("folder.pt", "folder.pt: "),
    ],
)
def test_an_output_that_cannot_be_written(
    tiny: Options, write: Write, refused: Refused, output: str, text: str, trained: Path
) -> None:
    Path("folder.pt").mkdir()
    Path("model.ckpt").write_text("not a folder")
    write(tiny)
    assert text in refused("train", "options.yaml", "-o", output)
    assert text in refused("export", trained / "model.ckpt", "-o", output)


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
    refused: Refused,
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
    refused: Refused,
    trained: Path,
    damage: Callable[[Path], None],
) -> None:
    bad = Path("bad.pt")
    bad.write_bytes((trained / "model.pt").read_bytes())
    damage(bad)
    write({"systems": tiny["training_set"]["systems"]}, "eval.yaml")
    assert "bad.pt: " in refused("eval", "bad.pt", "eval.yaml")


def test_a_model_where_a_checkpoint_belongs(
    tiny: Options, write: Write, refused: Refused, trained: Path
) -> None:
    write(tiny)
    for arguments in (
        ("train", "options.yaml", "--restart", trained / "model.pt"),
        ("export", trained / "model.pt", "-o", "again.pt"),
    ):
        assert "model.pt: this is an exported model" in refused(*arguments)


@pytest.mark.parametrize("command", ["show", "eval", "export", "stats", "pack"])
def test_a_file_that_is_missing(
    tiny: Options, write: Write, refused: Refused, command: str
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


def test_a_packed_folder_is_not_overwritten(tiny: Options, refused: Refused, ethanol: Path) -> None:
    Path("packed").mkdir()
    Path("packed", "precious").write_text("data")
    assert "packed" in refused("data", "pack", ethanol, "-o", "packed")


def test_metadata_with_a_misspelt_key(refused: Refused, trained: Path) -> None:
    Path("metadata.yaml").write_text("author: [Ada]\n")
    message = refused("export", trained / "model.ckpt", "-m", "metadata.yaml")
    assert "metadata.yaml" in message
    assert "'authors'" in message


def test_data_that_the_model_does_not_know(
    write: Write, refused: Refused, trained: Path, alloy: Path
) -> None:
    write({"systems": str(alloy)}, "eval.yaml")
    for model in ("model.pt", "model.ckpt"):
        message = refused("eval", trained / model, "eval.yaml")
        assert "alloy.xyz, frame 0: the model does not know the element" in message
        assert "it knows H, C, O" in message

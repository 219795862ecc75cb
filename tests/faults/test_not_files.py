"""Pipes, devices and links to nothing in the place of a file: refused by name, never opened."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Options = dict[str, Any]
Write = Callable[..., Path]
Refused = Callable[..., str]
Mtt = Callable[..., Any]

PIPE = "not a regular file, but a named pipe; give a file on the disk"
DEVICE = "not a regular file, but a device (/dev/zero); give a file on the disk"
NOTHING = "the link points to nothing: lost"
KINDS = {"pipe": PIPE, "zeros": DEVICE, "dangling": NOTHING}


@pytest.fixture(autouse=True)
def irregular(here: Path) -> None:
    """A named pipe without a writer, a link to a device, a link to nothing."""
    os.mkfifo("pipe")
    Path("zeros").symlink_to("/dev/zero")
    Path("dangling").symlink_to("lost")
    assert here == Path.cwd()


@pytest.mark.parametrize(("name", "text"), KINDS.items())
def test_every_command_refuses_them_for_every_file_that_it_reads(
    tiny: Options, write: Write, refused: Refused, trained: Path, name: str, text: str
) -> None:
    model = trained / "model.ckpt"
    sets = write({"systems": name}, "eval.yaml")
    for command in (
        ("train", name),
        ("check", name),
        ("show", name),
        ("export", name),
        (
            "eval",
            name,
            write({"systems": str(tiny["training_set"]["systems"]["read_from"])}, "e.yaml"),
        ),
        ("eval", model, name),
        ("eval", model, sets),
        ("train", trained / "options.yaml", "--restart", name),
        ("data", "stats", name),
        ("data", "pack", name, "-o", "packed"),
    ):
        assert f"{name}: {text}" in refused(*command)


@pytest.mark.parametrize(("name", "text"), KINDS.items())
def test_options_that_name_them_are_refused(
    tiny: Options, write: Write, refused: Refused, name: str, text: str
) -> None:
    data = tiny["training_set"]
    for section, value in (
        (data["systems"], {"read_from": name}),
        (data["targets"]["energy"], {"read_from": name}),
        (data, {"indices": name}),
        (tiny["architecture"]["training"], {"finetune": {"read_from": name}}),
    ):
        before = dict(section)
        section.update(value)
        write(tiny)
        section.clear()
        section.update(before)
        assert f"{name}: {text}" in refused("train", "options.yaml", "--dry-run")


def test_a_packed_data_set_with_a_pipe_among_its_arrays_is_refused(
    ethanol: Path, mtt: Mtt, refused: Refused
) -> None:
    assert mtt("data", "pack", ethanol, "-o", "packed").code == 0
    shutil.copytree("packed", "other")
    (array,) = Path("packed").glob("*positions.npy")
    for path in (array, Path("other", "dataset.json")):
        path.unlink()
        os.mkfifo(path)
    assert f"{array}: not a regular file, but a named" in refused("data", "stats", "packed")
    assert "other: this is a folder, not a file" in refused("data", "stats", "other")

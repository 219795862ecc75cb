"""``mtt show`` of every kind of file, sound and damaged: it says what it can, and what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KINDS = {
    "model.ckpt": "checkpoint",
    "model.zip": "archive",
    "model.pt": "exported model",
    "packed": "packed data set",
    "run": "folder of a run",
    "options.yaml": "options of mtt train",
    "eval.yaml": "options of mtt eval",
}


@pytest.fixture(scope="module")
def files(
    trained: Path, tiny_options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """One of each kind, sound; only to be copied."""
    from mtt import export
    from mtt.data import Dataset
    from mtt.workflows.run.datasets import pack_files

    folder = tmp_path_factory.mktemp("files")
    for name in ("model.ckpt", "model.pt", "options.yaml"):
        shutil.copy(trained / name, folder / name)
    export(trained / "model.ckpt", folder / "model.zip")
    (run,) = trained.glob("outputs/*/*")
    shutil.copytree(run, folder / "run")
    systems = tiny_options["training_set"]["systems"]
    (folder / "eval.yaml").write_text(json.dumps({"systems": systems}))
    pack_files([systems["read_from"]], folder / "packed")
    Dataset.open(folder / "packed").pairs(2.5)
    return folder


@pytest.fixture
def show(mtt: Callable[..., Any], files: Path, here: Path) -> Callable[[str], dict[str, Any]]:
    """What ``mtt show`` tells of a copy of one of ``files``, after a ``change`` to it."""

    def show(
        name: str, change: Callable[[Path], None] | None = None, kind: str | None = None
    ) -> dict[str, Any]:
        source = files / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, here / name)
        if change is not None:
            change(here / name)
        for arguments in (["show", name], ["show", name, "--json"]):
            done = mtt(*arguments)
            assert done.code == 0, done.err
            assert "Traceback" not in done.out + done.err
        told: dict[str, Any] = json.loads(done.out)
        assert told["file"] == name
        assert told["kind"] == (kind or KINDS[name])
        return told

    return show


@pytest.mark.parametrize("name", KINDS)
def test_a_sound_file_is_described_without_a_problem(
    show: Callable[..., dict[str, Any]], name: str
) -> None:
    told = show(name)
    assert told["problem"] is None
    if name == "packed":
        assert (told["structures"], told["atoms"]) == (20, 180)
        assert told["neighbor_lists"]["2.5"] > 0
        assert told["atomic_types"] == [1, 6, 8]
    if name == "run":
        assert (told["finished"], told["epoch"], told["damaged_checkpoints"]) == (True, 2, [])
        assert told["targets"]["energy"]["unit"] == "eV"
    if name == "options.yaml":
        assert told["options"]["architecture"]["training"]["early_stopping"] is None
    if name == "eval.yaml":
        assert len(told["options"]["data_sets"]) == 1


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_inside(path: Path) -> None:
    cut(next(path.glob("*positions*")))


def cut_lists(path: Path) -> None:
    cut(next(path.glob("neighbors-2.5/*centers*")))


def empty_description(path: Path) -> None:
    (path / "dataset.json").write_bytes(b"")


def cut_all(path: Path) -> None:
    for one in path.rglob("*.ckpt"):
        cut(one)


def without_checkpoints(path: Path) -> None:
    shutil.rmtree(path / "checkpoints")


def misspelt(path: Path) -> None:
    path.write_text(path.read_text().replace("max_radial", "max_radail").replace("systems", "sys"))


def no_options(path: Path) -> None:
    path.write_text("seed: 1\n")


@pytest.mark.parametrize(
    ("name", "damage", "kind", "problem"),
    [
        ("model.ckpt", cut, "unknown", "is damaged: cut short"),
        ("model.ckpt", flip, None, "is damaged: "),
        ("model.zip", cut, "unknown", "is damaged: "),
        ("model.pt", cut, "unknown", "is damaged: "),
        ("model.pt", flip, None, "is damaged: "),
        ("packed", cut_inside, None, "positions.npy: cannot be read"),
        ("packed", cut_lists, None, "centers.npy: cannot be read"),
        ("packed", empty_description, None, "dataset.json: cannot be read"),
        ("run", cut_all, None, "none of its checkpoints can be read"),
        ("run", without_checkpoints, None, "it has no checkpoint yet"),
        ("options.yaml", misspelt, None, "did you mean 'max_radial'?"),
        ("eval.yaml", misspelt, "YAML file", "holds no options"),
    ],
)
def test_a_damaged_file_is_described_with_the_damage(
    show: Callable[..., dict[str, Any]],
    name: str,
    damage: Callable[[Path], None],
    kind: str | None,
    problem: str,
) -> None:
    assert problem in show(name, damage, kind)["problem"]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("data.xyz", "2\n\nH 0 0 0\nH 0 0 1\n", "data.xyz: is not a checkpoint, but a text file"),
        ("empty.ckpt", "", "empty.ckpt: is empty (0 bytes)"),
        ("a.ckpt", "PK\3\4 and no more", None),
    ],
)
def test_a_file_of_another_kind_is_refused_with_its_kind(
    refused: Callable[..., str], name: str, content: str, what: str | None, mtt: Callable[..., Any]
) -> None:
    Path(name).write_text(content)
    if what is None:
        assert "cut short" in json.loads(mtt("show", name, "--json").out)["problem"]
    else:
        assert what in refused("show", name)


def test_folders_that_are_not_runs_are_refused_with_what_they_hold(
    refused: Callable[..., str], trained: Path, here: Path
) -> None:
    shutil.copy(trained / "model.ckpt", here / "model.ckpt")
    assert "is a folder, not a checkpoint; it holds model.ckpt" in refused("show", here)

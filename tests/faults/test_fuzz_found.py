"""What fuzzing found, one file each: wrong in a way that no reader expected."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtt.checkpoint import describe, write
from mtt.cli.main import run
from mtt.data import Dataset, pack, read_dataset
from mtt.errors import ConfigError, DataError
from mtt.options import load_eval_options, load_options

_FRAME = "2\nProperties=species:S:1:pos:R:3\nH 0 0 0\nH 0 0 1\n"


def _systems(name: str) -> dict[str, Any]:
    return {"systems": {"read_from": name, "length_unit": "angstrom"}}


def _refused(name: str, what: str, text: str | bytes) -> None:
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=rf"{re.escape(name)}\b.*{what}"):
        for one in load_eval_options(_systems(name)):
            read_dataset(one)


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ("species:S:2:pos:R:3", "species:S:2 is not species:S:1"),
        ("species:R:1:pos:R:3", "species:R:1 is not species:S:1"),
        ("species:S:1:pos:R:2", "pos:R:2 is not pos:R:3"),
        ("species:S:1:pos:R:0", "pos:R:0 is not NAME"),
        ("species:S:1:pos::3", "pos::3 is not NAME"),
    ],
)
def test_columns_of_one_meaning_have_one_form(columns: str, what: str) -> None:
    _refused("a.xyz", what, _FRAME.replace("species:S:1:pos:R:3", columns))


@pytest.mark.parametrize("number", ["nan", "1.5", "-1", "1e300"])
def test_an_atomic_number_is_a_whole_one(number: str) -> None:
    text = _FRAME.replace("species:S:1", "Z:R:1").replace("H 0 0 1", f"{number} 0 0 1")
    _refused("a.xyz", "is not an atomic number", text.replace("H", "1"))


def test_a_compressed_file_that_is_damaged_is_reported() -> None:
    whole = gzip.compress((_FRAME * 50).encode())
    _refused("a.xyz.gz", "cannot be read", whole[:-20])
    _refused("b.xyz.gz", "cannot be read", whole[:40] + b"\xff" * 8 + whole[48:])


def test_a_name_that_no_file_can_have_is_reported() -> None:
    options = load_eval_options(_systems("x" * 5000))
    with pytest.raises(DataError, match=r"x{99}: cannot be read"):
        read_dataset(options[0])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: &a {x: 1, x: 2}\nb: {<<: *a}", "duplicate key"),
        ("a: &a {? [1] : 2}\nb: {<<: *a}", "is not a name or an integer"),
        ("seed: 0x" + "f" * 5000, "a number of more than 100 characters"),
        ("a: ${b[" + "9" * 5000 + "]}\nb: [1]", "names a key that is not given"),
    ],
)
def test_odd_yaml_is_reported_with_its_file(text: str, what: str) -> None:
    Path("options.yaml").write_text(text)
    with pytest.raises(ConfigError, match=rf"options.yaml:\d.*{what}"):
        load_options("options.yaml").architecture_name


@pytest.fixture
def packed() -> Path:
    """A packed data set with neighbour lists."""
    Path("a.xyz").write_text(_FRAME * 3)
    options = load_eval_options(_systems("a.xyz"))
    pack([read_dataset(one) for one in options], "packed").pairs(2.0)
    return Path("packed")


def _array(change: Callable[[Any], Any], pattern: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (path,) = folder.glob(pattern)
        np.save(path, change(np.load(path)))

    return damage


def _header(folder: Path) -> None:
    (path,) = folder.glob("*numbers.npy")
    path.write_bytes(path.read_bytes().replace(b"(6,)", b"(6,("))


def _described(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / "dataset.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (_array(lambda a: a + 1, "*numbers.npy"), "not of the elements"),
        (_array(lambda a: a + 7, "neighbors*/*neighbors.npy"), "neighbour lists are not those"),
        (_array(lambda a: a - 1, "neighbors*/*centers.npy"), "neighbour lists are not those"),
        (_header, "numbers.npy: cannot be read"),
        (lambda folder: _described(folder, lambda c: c["info"].update(length_unit=5)), "misstates"),
        (lambda folder: _described(folder, lambda c: c["info"].update(targets=[])), "misstates"),
        (
            lambda folder: _described(folder, lambda c: c["info"].update(length_unit="\ud800")),
            "cannot be read: .*surrogates",
        ),
        (
            lambda folder: _described(folder, lambda c: c["arrays"].pop("source_text")),
            "source_text",
        ),
    ],
)
def test_a_forged_packed_data_set_is_refused(
    packed: Path, damage: Callable[[Path], None], what: str
) -> None:
    damage(packed)
    with pytest.raises(DataError, match=rf"packed.*{what}"):
        Dataset.open(packed).pairs(2.0)


def test_a_zip_file_of_an_unknown_version_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.json", "{}")
    content = path.read_bytes()
    start = content.index(b"PK\x01\x02")
    path.write_bytes(content[: start + 6] + b"\xff\x00" + content[start + 8 :])
    assert "cut short" in describe(path)["problem"]


def test_a_member_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    write(path, {"model_ckpt_version": 1, "architecture_name": "x"})
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr(archive.namelist()[0], b"another")
    assert "twice" in describe(path)["problem"]


def test_text_that_has_no_encoding_is_shown(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write("last.ckpt", {"model_ckpt_version": 1, "architecture_name": "half \ud800"})
    assert run(["show", "last.ckpt"]) == 0
    assert b"half \\ud800" in capfdbinary.readouterr().out

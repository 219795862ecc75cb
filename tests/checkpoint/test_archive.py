"""Light archives: safe to read whatever stands in them, and the same bytes for the same model."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtt._version import __version__
from mtt.checkpoint import describe, peek, read, read_archive, verify, write_archive
from mtt.checkpoint.archive import ARCHIVE_VERSION, MAX_DESCRIPTION
from mtt.errors import CheckpointError

Members = dict[str, bytes]


@pytest.fixture
def model() -> dict[str, Any]:
    """A model's checkpoint without its training."""
    generator = torch.Generator().manual_seed(0)
    return {
        "architecture_name": "two_numbers",
        "model_ckpt_version": 1,
        "model_hypers": {"cutoff": 5.0, "widths": (8, 8), "names": {1: "H"}},
        "dataset_info": {"length_unit": "angstrom", "atomic_types": [1, 6], "targets": {}},
        "metadata": {"name": "a name"},
        "best_metric": float("nan"),
        "model_state_dict": {
            "weight": torch.randn(3, 2, dtype=torch.float64, generator=generator),
            "half": torch.randn(4, generator=generator).to(torch.bfloat16),
            "mask": torch.tensor([True, False]),
            "count": torch.tensor(3),
            "nothing": torch.empty(0, 3),
        },
        "best_model_state_dict": None,
    }


@pytest.fixture
def archive(tmp_path: Path, model: dict[str, Any]) -> Path:
    path = tmp_path / "model.zip"
    write_archive(path, model)
    return path


@pytest.fixture
def rewritten(archive: Path) -> Callable[..., Path]:
    """The archive with other members and right checksums, as one who wishes ill would make it."""

    def rewrite(change: Callable[[Members], None], compression: int = zipfile.ZIP_STORED) -> Path:
        with zipfile.ZipFile(archive) as file:
            members = {name: file.read(name) for name in file.namelist()}
        change(members)
        with zipfile.ZipFile(archive, "w", compression) as file:
            for name, content in members.items():
                file.writestr(name, content)
        return archive

    return rewrite


def described(change: Callable[[dict[str, Any]], Any]) -> Callable[[Members], None]:
    """Changes what stands in ``model.json``."""

    def apply(members: Members) -> None:
        description = json.loads(members["model.json"])
        change(description)
        members["model.json"] = json.dumps(description).encode()

    return apply


def state(description: dict[str, Any], name: str) -> dict[str, Any]:
    """How ``model.json`` describes the tensor ``name``."""
    stored: dict[str, Any] = description["checkpoint"]["model_state_dict"][name]["$tensor"]
    return stored


def test_what_was_written_is_read(archive: Path, model: dict[str, Any], same) -> None:
    again = read_archive(archive)
    assert (again.pop("archive_version"), again.pop("mtt_version")) == (1, __version__)
    assert same(again, model)


def test_equal_models_give_equal_bytes(
    archive: Path, model: dict[str, Any], tmp_path: Path
) -> None:
    write_archive(tmp_path / "again.zip", model)
    write_archive(tmp_path / "third.zip", read_archive(archive))
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()
    assert (tmp_path / "third.zip").read_bytes() == archive.read_bytes()


def test_any_program_with_zip_and_json_can_read_it(archive: Path, model: dict[str, Any]) -> None:
    with zipfile.ZipFile(archive) as file:
        names = file.namelist()
        description = json.loads(file.read("model.json"), parse_constant=pytest.fail)
        stored = state(description, "weight")
        values = np.frombuffer(file.read(stored["member"]), dtype="<f8").reshape(stored["shape"])
    assert names == ["model.json", *(f"tensors/{i}" for i in range(5))]
    assert description["format"] == "mtt archive"
    assert description["format_version"] == ARCHIVE_VERSION == 1
    assert description["checkpoint"]["model_hypers"]["names"] == {"$dict": [[1, "H"]]}
    assert np.array_equal(values, model["model_state_dict"]["weight"].numpy())


def test_it_holds_no_pickle(archive: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        assert not [name for name in file.namelist() if b"\x80\x02" in file.read(name)[:2]]
    with pytest.raises(RuntimeError):
        torch.load(archive, weights_only=True)


def test_what_is_neither_tensor_nor_plain_is_refused(model: dict[str, Any], tmp_path: Path) -> None:
    model["model_hypers"]["cutoff"] = np.float64(5.0)
    model["extra"] = [torch.ones(2, 2).to_sparse()]
    with pytest.raises(CheckpointError) as caught:
        write_archive(tmp_path / "a.zip", model)
    assert "model_hypers['cutoff'] is numpy.float64, which an archive cannot" in str(caught.value)
    assert "extra[0] is a tensor of torch.float32 in the layout" in str(caught.value)


def test_a_flipped_bit_is_noticed_or_harmless(
    archive: Path, model: dict[str, Any], flip, inside, same
) -> None:
    content = archive.read_bytes()
    with zipfile.ZipFile(archive) as file:
        inner = {
            inside(archive, member.filename) + i
            for member in file.infolist()
            for i in range(member.file_size)
        }
    for offset in range(0, len(content), 5):
        flip(archive, offset)
        try:
            again = read_archive(archive)
        except CheckpointError:
            pass
        else:  # times, rights and versions in the zip's own headers decide nothing
            assert offset not in inner
            assert same({key: again[key] for key in model}, model)
        archive.write_bytes(content)


def test_a_tampered_tensor_is_named(archive: Path, flip, inside) -> None:
    flip(archive, inside(archive, "tensors/0"))
    with pytest.raises(CheckpointError, match=r"model\.zip: is damaged: .*'tensors/0'"):
        read_archive(archive)
    with pytest.raises(CheckpointError, match=r"is damaged: the checksum of 'tensors/0'"):
        verify(archive)
    told = describe(archive)
    assert (told["kind"], "architecture" in told) == ("archive", False)
    assert "checksum" in told["problem"]


def test_a_file_that_was_cut_short_is_damaged(archive: Path) -> None:
    content = archive.read_bytes()
    for length in (4, 100, len(content) // 2, len(content) - 1):
        archive.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"model\.zip: is damaged.*take another copy"):
            read_archive(archive)
    archive.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"model\.zip: is empty"):
        read_archive(archive)


def test_a_newer_format_is_refused_with_its_writer(rewritten: Callable[..., Path]) -> None:
    newer = {"format_version": ARCHIVE_VERSION + 1, "mtt_version": "7.0"}
    path = rewritten(described(lambda d: d.update(newer)))
    with pytest.raises(CheckpointError, match=r"is an archive of format 2; .* needs mtt >= 7\.0"):
        read_archive(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format_version=True), "format True"),
        (lambda d: d.update(format_version=0), "format 0"),
        (lambda d: d.update(format="other"), "no archive of a model"),
        (lambda d: d.pop("checkpoint"), "was altered: KeyError"),
        (lambda d: d["checkpoint"].pop("architecture_name"), "it lacks architecture_name"),
        (lambda d: d.update(checkpoint=[]), "in addition to its model"),
        (lambda d: d["checkpoint"].update(model_ckpt_version="1"), "it lacks model_ckpt_version"),
        (lambda d: d["checkpoint"].update(extra={"$python": "os.system"}), "unknown kind"),
        (lambda d: state(d, "weight").update(shape=[2, 2]), "48 bytes instead of 32"),
        (lambda d: state(d, "weight").update(shape=[10**12]), "48 bytes instead of 8,000,0"),
        (lambda d: state(d, "weight").update(shape=[-3, -2]), "has the shape"),
        (lambda d: state(d, "weight").update(shape=[3.0, 2]), "has the shape"),
        (lambda d: state(d, "weight").update(shape=6), "was altered"),
        (lambda d: state(d, "weight").update(dtype="float128"), "was altered: KeyError"),
        (lambda d: state(d, "weight").update(dtype="float32"), "48 bytes instead of 24"),
        (lambda d: state(d, "weight").update(member="tensors/9"), "was altered: KeyError"),
        (lambda d: state(d, "weight").update(member="../../secret"), "was altered: KeyError"),
        (lambda d: state(d, "half").update(state(d, "weight")), "was altered: KeyError"),
        (lambda d: d["checkpoint"]["model_state_dict"].pop("half"), "tensors/1 in addition to"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    rewritten: Callable[..., Path], change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    path = rewritten(described(change))
    with pytest.raises(CheckpointError, match=rf"model\.zip: .*{message}"):
        read_archive(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (b"[]", "no archive of a model"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b" " * (MAX_DESCRIPTION + 1), "holds a model.json of 16,777,217 bytes"),
    ],
    ids=["cut", "no text", "NaN", "infinity", "deep", "list", "long number", "large"],
)  # fmt: skip
def test_a_description_that_is_not_json_is_refused(
    rewritten: Callable[..., Path], text: bytes, message: str
) -> None:
    path = rewritten(lambda members: members.update({"model.json": text}))
    with pytest.raises(CheckpointError, match=rf"model\.zip: .*{re.escape(message)}"):
        read_archive(path)


def test_nothing_is_unpacked(rewritten: Callable[..., Path]) -> None:
    def bomb(members: Members) -> None:
        described(lambda d: state(d, "nothing").update(shape=[10**7], dtype="uint8"))(members)
        members["tensors/4"] = bytes(10**7)

    path = rewritten(bomb, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 20_000
    with pytest.raises(CheckpointError, match=r"holds 'model\.json' compressed or encrypted"):
        read_archive(path)


def test_members_that_overlap_are_refused(archive: Path, model: dict[str, Any]) -> None:
    model["model_state_dict"] = {"a": torch.zeros(1000), "b": torch.zeros(1000)}
    write_archive(archive, model)
    content = bytearray(archive.read_bytes())
    # both entries of the table of contents claim more than the whole file
    for match in re.finditer(b"PK\x01\x02", bytes(content)):
        at = match.start()
        name_length = struct.unpack_from("<H", content, at + 28)[0]
        if content[at + 46 : at + 46 + name_length].startswith(b"tensors"):
            struct.pack_into("<II", content, at + 20, 8000, 8000)
    archive.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"claims 1\d,\d{3} bytes of content in a file of"):
        read_archive(archive)


def test_a_name_that_occurs_twice_is_refused(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("tensors/0", bytes(48))
    with pytest.raises(CheckpointError, match="holds 'tensors/0' twice"):
        read_archive(archive)


def test_other_files_are_recognised(file: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"last\.ckpt: is a zip file, but no archive"):
        read_archive(file)
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(CheckpointError, match=r"a\.txt: is not a checkpoint, but a text file"):
        read_archive(tmp_path / "a.txt")
    with pytest.raises(CheckpointError, match=r"b\.zip: no such file"):
        read_archive(tmp_path / "b.zip")


def test_an_archive_is_not_a_checkpoint(archive: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.zip: this is the archive of a model, not"):
        read(archive)
    with pytest.raises(CheckpointError, match=r"model\.zip: this is the archive of a model, not"):
        peek(archive)


def test_a_file_that_cannot_be_written_is_reported(model: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be written: No such file or directory"):
        write_archive(tmp_path / "nowhere" / "a.zip", model)


def test_an_archive_is_described_like_a_checkpoint(archive: Path) -> None:
    told = describe(archive)
    assert (told["kind"], told["problem"], told["format_version"]) == ("archive", None, 1)
    assert (told["architecture"], told["model_version"]) == ("two_numbers", 1)
    assert told["weights"] == {
        "values": 13,
        "dtypes": ["bfloat16", "bool", "float32", "float64", "int64"],
    }
    assert told["epoch"] is told["trainer_version"] is None
    json.dumps(told)

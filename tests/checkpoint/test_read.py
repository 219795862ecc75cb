"""Reading: verified, safe, and clear about what a file is."""

from __future__ import annotations

import gzip
import io
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtt.checkpoint import peek, read, verify
from mtt.checkpoint.format import FORMAT_VERSION
from mtt.errors import CheckpointError


class Evil:
    """Runs a program when it is unpickled."""

    def __init__(self, sentinel: str) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.sentinel}",)


def test_a_checkpoint_of_a_plain_torch_save_is_read(tmp_path) -> None:
    content = {"architecture_name": "own", "model_ckpt_version": 2, "w": torch.ones(2)}
    torch.save(content, tmp_path / "a.ckpt")
    again = read(tmp_path / "a.ckpt")
    assert again.keys() == content.keys()
    assert torch.equal(again["w"], content["w"])


def test_a_checkpoint_without_the_name_of_its_architecture_needs_it(tmp_path) -> None:
    torch.save({"model_ckpt_version": 2}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=r"a\.ckpt: does not say which architecture"):
        read(tmp_path / "a.ckpt")
    assert read(tmp_path / "a.ckpt", architecture="own")["architecture_name"] == "own"


def test_an_empty_name_counts_as_none(tmp_path) -> None:
    torch.save({"model_ckpt_version": 2, "architecture_name": ""}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="does not say which architecture"):
        read(tmp_path / "a.ckpt")
    assert read(tmp_path / "a.ckpt", architecture="own")["architecture_name"] == "own"


def test_an_exported_model_can_be_verified_too(tmp_path, flip, inside) -> None:
    path = tmp_path / "model.pt"
    torch.jit.script(torch.nn.Linear(2, 2)).save(path)
    verify(path)
    flip(path, inside(path, "/data/0"))
    assert torch.jit.load(path) is not None, "torch does not notice"
    with pytest.raises(CheckpointError, match="is damaged: the checksum of"):
        verify(path)


def test_a_stored_name_is_not_replaced(file) -> None:
    assert read(file, architecture="own")["architecture_name"] == "two_numbers"


def test_every_flipped_bit_is_noticed_or_harmless(file, flip, same) -> None:
    """In the weights always; some bytes of a zip archive (dates, padding) mean nothing."""
    content, whole = file.read_bytes(), read(file)
    noticed = 0
    for offset in range(0, len(content), 19):
        flip(file, offset)
        try:
            again = read(file)
        except CheckpointError:
            noticed += 1
        else:
            assert same(again, whole), f"a bit at {offset} changed the content silently"
        file.write_bytes(content)
    assert noticed > 0.5 * len(content) / 19


def test_a_flipped_bit_in_the_weights_is_reported(file, flip, inside) -> None:
    flip(file, inside(file, "/data/0") + 5)
    with pytest.raises(CheckpointError, match=r"is damaged: .*/data/0.*take another checkpoint"):
        read(file)


def test_zeros_in_the_weights_are_reported(tmp_path, checkpoint) -> None:
    path = tmp_path / "a.ckpt"
    torch.save(checkpoint | {"model_state_dict": {"w": torch.randn(40_000)}}, path)
    content = bytearray(path.read_bytes())
    content[60_000:100_000] = bytes(40_000)
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)["epoch"] == 3, "torch does not notice"
    with pytest.raises(CheckpointError, match="is damaged"):
        read(path)


@pytest.mark.parametrize("cut", [1, 100, 0.5, 0.01])
def test_a_truncated_file_is_reported(file, cut) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: -cut if cut >= 1 else int(len(content) * cut)])
    with pytest.raises(CheckpointError, match=r"last\.ckpt: is damaged: cut short after [\d,]+ by"):
        read(file)


def test_a_missing_file_is_reported_with_a_near_name(file) -> None:
    with pytest.raises(CheckpointError, match=r"lst\.ckpt: no such file; did you mean 'last.ckpt'"):
        read(file.with_name("lst.ckpt"))
    with pytest.raises(CheckpointError, match=r"no such file$"):
        read(file.parent / "absent" / "last.ckpt")


def test_a_folder_is_reported_with_what_it_holds(file) -> None:
    with pytest.raises(CheckpointError, match=r"is a folder.*it holds last\.ckpt"):
        read(file.parent)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_reported(file) -> None:
    file.chmod(0)
    with pytest.raises(CheckpointError, match="cannot be read: Permission denied"):
        read(file)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.ckpt", b"", r"is empty \(0 bytes\)"),
        ("a.ckpt", bytes(5000), "is not a checkpoint, but a file of zeros"),
        ("options.yaml", b"seed: 1\n", "but a YAML file; options belong to `mtt train`"),
        ("a.txt", "Å\n".encode() * 3000, "but a text file"),
        ("a.ckpt", bytes(range(1, 255)) * 20, "unknown kind of file"),
        ("a.ckpt.gz", gzip.compress(b"x", mtime=0), "compressed by gzip; decompress it first"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        ("a.npy", b"\x93NUMPY\x01\x00", "a numpy array"),
        ("a.zip", b"PK\x05\x06" + bytes(18), "an empty zip archive"),
    ],
)
def test_a_file_that_is_not_a_checkpoint_is_called_by_its_name(
    tmp_path, name, content, what
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for reader in (read, peek):
        with pytest.raises(CheckpointError, match=re.escape(name) + ": .*" + what):
            reader(path)


def test_a_zip_archive_of_something_else_is_refused(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", a=np.zeros(3))
    with pytest.raises(CheckpointError, match="is a zip archive, but holds no checkpoint"):
        read(tmp_path / "a.npz")


def test_an_exported_model_is_sent_to_eval(tmp_path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=r"this is an exported model.*`mtt eval` wants it"):
        read(tmp_path / "model.pt")


def test_the_old_format_of_torch_is_refused_since_it_has_no_checksums(tmp_path) -> None:
    torch.save({"a": 1}, tmp_path / "a.ckpt", _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match=r"before 1\.6, which has no checksums"):
        read(tmp_path / "a.ckpt")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ([torch.ones(2)], "not a checkpoint of a model: it holds a list"),
        (torch.ones(2), "not a checkpoint of a model: it holds a Tensor"),
        ({"state_dict": {}}, "not a checkpoint of a model: it lacks model_ckpt_version"),
    ],
)
def test_a_torch_file_of_something_else_is_refused(tmp_path, content, what) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=what):
        read(tmp_path / "a.pt")


def test_a_newer_format_says_which_mtt_it_needs(tmp_path, checkpoint) -> None:
    newer = checkpoint | {"format_version": 2, "mtt_version": "9.1"}
    torch.save(newer, tmp_path / "a.ckpt")
    for reader in (read, peek):
        with pytest.raises(CheckpointError, match=r"in format 2; this is .* it needs mtt >= 9\.1"):
            reader(tmp_path / "a.ckpt")


@pytest.mark.parametrize("reader", [read, peek])
def test_a_pickled_object_is_named_and_does_not_run(tmp_path, checkpoint, reader) -> None:
    sentinel = tmp_path / "sentinel"
    torch.save(checkpoint | {"trainer_state": Evil(str(sentinel))}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=r"Python objects \(posix\.system\), which are not"):
        reader(tmp_path / "a.ckpt")
    assert not sentinel.exists()


def test_a_pickled_object_under_a_true_checksum_of_any_pickle_protocol_does_not_run(
    tmp_path,
) -> None:
    sentinel = tmp_path / "sentinel"
    for protocol in (2, 4):
        torch.save({"a": Evil(str(sentinel))}, tmp_path / "a.ckpt", pickle_protocol=protocol)
        with pytest.raises(CheckpointError):
            read(tmp_path / "a.ckpt")
    assert not sentinel.exists()


def test_nonsense_under_a_true_checksum_is_refused(file) -> None:
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for nonsense in (b"", b"nonsense", b"\x80\x02}q\x00."):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, nonsense if name.endswith("/data.pkl") else content)
        file.write_bytes(buffer.getvalue())
        with pytest.raises(CheckpointError, match=r"last\.ckpt: "):
            read(file)


def test_peek_verifies_the_plain_values_only(file, flip, inside) -> None:
    flip(file, inside(file, "/data/0"))
    assert peek(file)["epoch"] == 3
    flip(file, inside(file, "/data.pkl") + 100)
    with pytest.raises(CheckpointError, match="is damaged"):
        peek(file)


@pytest.mark.parametrize("version", range(1, FORMAT_VERSION + 1))
def test_files_of_every_format_so_far_are_read(version) -> None:
    content = read(Path(__file__).parent / "files" / f"format-{version}.ckpt")
    assert content["format_version"] == version
    assert content["architecture_name"] == "two_numbers"
    assert (content["epoch"], content["best_metric"]) == (3, 0.25)
    weights = content["model_state_dict"]
    assert torch.equal(weights["weight"], torch.arange(6.0).reshape(2, 3))
    assert torch.equal(weights["bias"], torch.tensor([0.5, -0.5], dtype=torch.float64))

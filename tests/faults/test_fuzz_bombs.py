"""Small files that stand for more than any memory holds are refused, in seconds."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtt.checkpoint import read, write, write_archive
from mtt.data import pack, read_dataset
from mtt.errors import CheckpointError
from mtt.options import load_eval_options

MEMORY = 2**30
"""Bytes that reading may take; every file below is made to take more."""

_ENCODE = b"c_codecs\nencode\n"
_LATIN, _HEX = b"X\x06\x00\x00\x00latin1", b"X\x03\x00\x00\x00hex"


def _yaml(text: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(text) and None


def _aliases() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    return "\n".join(lines)


def _merges() -> str:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {{<<: *a{i - 1}, y{i}: {{<<: *a{i - 1}}}}}" for i in range(1, 40)]
    return "\n".join(lines)


def _references() -> str:
    return "\n".join(
        ["a0: xxxxxxxxxx"] + [f"a{i}: ${{a{i - 1}}}${{a{i - 1}}}" for i in range(1, 60)]
    )


def _torch_file(body: bytes, **members: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", b"\x80\x02" + body + b".")
            archive.writestr("a/version", b"3\n")
            archive.writestr("a/byteorder", b"little")
            for name, content in members.items():
                archive.writestr(f"a/data/{name}", content)

    return make


def _hex_of_hex() -> bytes:
    body = _ENCODE + b"X\x04\x00\x00\x00aaaa" + _LATIN + b"\x86R"
    for _ in range(40):
        body = _ENCODE + body + _HEX + b"\x86R"
    return body


def _lists_of_lists() -> bytes:
    """Each holds the one before twice."""
    body = b"]q\x00"
    for i in range(1, 60):
        body += b"](" + b"h%c" % (i - 1) * 2 + b"eq%c" % i
    return b"}X\x12\x00\x00\x00model_ckpt_version" + b"(" + body + b"ts"


def _expanded(path: Path) -> None:
    torch.save({"model_ckpt_version": 1, "a": torch.zeros(1).expand(10**12)}, path)


def _compressed(path: Path) -> None:
    write(path, {"model_ckpt_version": 1, "architecture_name": "x"})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("last/data/99", bytes(2**25))


def _program(path: Path) -> None:
    """An exported model whose code claims to be 2 GB, compressed."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/constants.pkl", b"\x80\x02).")
        member = zipfile.ZipInfo("a/code/x.py")
        member.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(member, bytes(2**20))
        member.file_size = 2**31 - 1  # in the table of contents that is written at the end


def _wide_tensor(path: Path) -> None:
    write_archive(path, {"model_ckpt_version": 1, "architecture_name": "x", "a": torch.zeros(1)})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    sizes = ", ".join(["999999999"] * 500_000).encode()  # their product takes hours
    text = members["model.json"].replace(b'"shape": [\n     1\n    ]', b'"shape": [' + sizes + b"]")
    assert text != members["model.json"]
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in (members | {"model.json": text}).items():
            archive.writestr(member, content)


def _store(change: Callable[[Path], Any]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        frames = path.with_suffix(".xyz")
        frames.write_text("1\n\nH 0 0 0\n")
        pack([read_dataset(one) for one in load_eval_options(_systems(frames))], path)
        frames.unlink()
        change(path)

    return make


def _systems(frames: Path) -> dict[str, Any]:
    return {"systems": {"read_from": str(frames), "length_unit": "angstrom"}}


def _huge_array(path: Path) -> None:
    array = next(path.glob("*positions.npy"))
    with array.open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**15, 3)}
        np.lib.format.write_array_header_1_0(file, header)


BOMBS: dict[str, Callable[[Path], Any]] = {
    "aliases.yaml": _yaml(_aliases()),
    "merges.yaml": _yaml(_merges()),
    "references.yaml": _yaml(_references()),
    "deep.yaml": _yaml("a: " + "[" * 200_000),
    "digits.yaml": _yaml("seed: 0x" + "f" * 10**5),
    "bytearray.ckpt": _torch_file(b"cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x01\x85R"),
    "tensor.ckpt": _torch_file(b"ctorch\nFloatTensor\n\x8a\x05\x00\x00\x00\x00\x01\x85R"),
    "hex-of-hex.ckpt": _torch_file(_hex_of_hex()),
    "lists-of-lists.ckpt": _torch_file(_lists_of_lists()),
    "list-of-itself.ckpt": _torch_file(b"}X\x12\x00\x00\x00model_ckpt_version]q\x00h\x00as"),
    "deep.ckpt": _torch_file(b"]" * 20_000 + b"a" * 19_999),
    "expanded.ckpt": _expanded,
    "compressed.ckpt": _compressed,
    "program.pt": _program,
    "wide-tensor.zip": _wide_tensor,
    "huge-array.store": _store(_huge_array),
    "deep.store": _store(lambda path: (path / "dataset.json").write_text("[" * 10**6)),
    "atoms.xyz": lambda path: path.write_text("1000000000000\n\nH 0 0 0\n"),
    "columns.xyz": lambda path: path.write_text(
        "0\nProperties=species:S:1:pos:R:3:x:R:999999999999\n"
    ),
    "zeros.xyz.gz": lambda path: path.write_bytes(gzip.compress(bytes(2**26), 1)),
    "lines.cif.gz": lambda path: path.write_bytes(gzip.compress(b"x\n" * 2**25, 1)),  # for ASE
}


# where other mistakes of the same file would be told otherwise
REASONS = {
    "program.pt": "bytes of program",
    "columns.xyz": "x:R:999999999999",
    "zeros.xyz.gz": "when it is unpacked",
    "lines.cif.gz": "when it is unpacked",
}


@pytest.fixture(scope="module")
def told(root: Path, tmp_path_factory: pytest.TempPathFactory, request: Any) -> dict[str, Any]:
    """What came of the bombs that are asked for, in one process of limited memory."""
    folder = tmp_path_factory.mktemp("bombs")
    wanted = [
        item.callspec.params["name"]
        for item in request.session.items
        if item.path == request.path and "told" in item.fixturenames
    ]
    for name in wanted:
        BOMBS[name](folder / name)
    program = root / "tests" / "faults" / "bomb_reader.py"
    done = subprocess.run(
        [sys.executable, program, str(MEMORY), *[folder / name for name in wanted]],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    ended = {"error": f"exit code {done.returncode}", "message": done.stderr[-1000:]}
    read: dict[str, Any] = json.loads(done.stdout or "{}")
    return {name: read.get(name, ended) for name in wanted}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_cannot_fill_the_memory(
    name: str, told: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    outcome = told[name]
    assert outcome["error"] in ("ConfigError", "CheckpointError", "DataError"), outcome["message"]
    assert name in outcome["message"]
    assert REASONS.get(name, "") in outcome["message"]
    assert outcome["seconds"] < 10  # of the processor
    assert outcome["bytes"] < MEMORY / 8
    record_property("bombs defused", 1)


def test_a_storage_that_is_longer_than_its_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lying.ckpt"
    torch.save({"model_ckpt_version": 1, "a": torch.arange(10.0)}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (name,) = (name for name in members if name.endswith("data.pkl"))
    count = members[name].index(b"K\x0a", members[name].index(b"cpu"))  # of the storage
    many = b"J" + (2**31 - 1).to_bytes(4, "little")
    members[name] = members[name][:count] + many + members[name][count + 2 :]
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    with pytest.raises(CheckpointError, match=r"lying.ckpt: is not a valid checkpoint \(record"):
        read(path, architecture="x")

"""A program is hidden in a file of every format that is read: no command ever runs it."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch

from mtt import export
from mtt.checkpoint import read

SENTINEL = "it-ran"


class Call:
    """Runs a program when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {SENTINEL}",)


class Nested:
    """The same, by a call that torch's own objects are rebuilt with."""

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.storage._load_from_bytes, (pickle.dumps(Call()),)


class Given(NamedTuple):
    """What crafted files are made of.

    :param checkpoint: a sound one.
    :param metatrain: ``content(model)`` and ``write(path, content)`` of metatrain's format.
    """

    checkpoint: Path
    metatrain: SimpleNamespace


def checkpoint(given: Given, payload: object) -> Path:
    torch.save(read(given.checkpoint) | {"trainer_state": payload}, "bad.ckpt")
    return Path("bad.ckpt")


def of_another_program(given: Given, payload: object) -> Path:
    content = given.metatrain.content(given.metatrain.model())
    vars(content["model_data"]["dataset_info"])["length_unit"] = payload
    return Path(given.metatrain.write(Path("bad.ckpt"), content))


def torch_file(given: Given, payload: object) -> Path:
    torch.save({"model": payload}, "bad.pth")
    return Path("bad.pth")


def old_torch_file(given: Given, payload: object) -> Path:
    torch.save({"model": payload}, "bad.model", _use_new_zipfile_serialization=False)
    return Path("bad.model")


def bare_pickle(given: Given, payload: object) -> Path:
    Path("bad.ckpt").write_bytes(pickle.dumps(payload))
    return Path("bad.ckpt")


def archive(given: Given, payload: object) -> Path:
    """A light archive with a torch file's member beside its own."""
    export(given.checkpoint, "bad.zip")
    stored = io.BytesIO()
    torch.save({"model": payload}, stored)
    with zipfile.ZipFile(stored) as source, zipfile.ZipFile("bad.zip", "a") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    return Path("bad.zip")


FORMATS: list[Callable[[Given, object], Path]] = [
    checkpoint,
    of_another_program,
    torch_file,
    old_torch_file,
    bare_pickle,
    archive,
]


@pytest.mark.parametrize(
    ("make", "payload"),
    [
        *((make, Call()) for make in FORMATS),
        *((make, Nested()) for make in (checkpoint, of_another_program)),
    ],
    ids=lambda one: str(getattr(one, "__name__", type(one).__name__)),
)
def test_no_command_runs_a_program_in_a_file(
    make: Callable[[Given, object], Path],
    payload: object,
    tiny: dict[str, Any],
    write: Callable[..., Path],
    mtt: Callable[..., Any],
    web: Any,
    trained: Path,
    metatrain_format: SimpleNamespace,
) -> None:
    path = make(Given(trained / "model.ckpt", metatrain_format), payload)
    write({"systems": tiny["training_set"]["systems"]}, "eval.yaml")
    write({"name": "a name"}, "metadata.yaml")
    write(tiny)
    training = tiny["architecture"]["training"]
    for name, source in (("near.yaml", str(path)), ("far.yaml", web.url + "/bad")):
        training["finetune"] = {"read_from": source}
        write(tiny, name)
    del training["finetune"]
    training["atomic_baseline"] = str(path)
    write(tiny, "baseline.yaml")
    web.file("/bad", path.read_bytes())
    shutil.copy(path, "again")
    commands: list[tuple[str | Path, ...]] = [
        ("show", path),
        ("show", web.url + "/bad"),
        ("import", path, "-o", "new.ckpt"),
        ("import", web.url + "/bad", "-o", "new.ckpt"),
        ("export", path, "-m", "metadata.yaml", "-o", "new.ckpt"),
        ("export", "again", "-o", "new.pt"),
        ("eval", path, "eval.yaml"),
        ("train", "options.yaml", "--restart", path, "-o", "new.pt"),
        ("train", "near.yaml", "-o", "new.pt", "--dry-run"),
        ("train", "far.yaml", "-o", "new.pt", "--dry-run"),
        ("train", "baseline.yaml", "-o", "new.pt", "--dry-run"),
        ("data", "stats", path),
    ]
    for command in commands:
        done = mtt(*command)
        assert not Path(SENTINEL).exists(), command
        assert done.code == 1, (command, done.out)
        assert "Traceback" not in done.out + done.err
        assert not list(Path().glob("new.*")), (command, "nothing is written")


def test_the_payloads_are_real() -> None:
    """Both make the file where a program unpickles them without care."""
    for payload in (Call(), Nested()):
        function, arguments = payload.__reduce__()
        assert function in (os.system, torch.storage._load_from_bytes)
        assert SENTINEL in str(arguments)

"""Checkpoints that are damaged, cannot be written, or hold a program."""

from __future__ import annotations

import errno
import io
import os
import re
import resource
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from mtt.checkpoint import read

Fit = Callable[..., Any]


class Killed(BaseException):
    """The process ends here: nothing may catch it."""


def kill(category: str, values: Any, epoch: int) -> None:
    if category == "progress" and epoch == 4:
        raise Killed


@pytest.fixture(scope="module")
def options(tiny_options: dict[str, Any]) -> dict[str, Any]:
    training = {"num_epochs": 4, "checkpoint_interval": 1}
    architecture = dict(tiny_options["architecture"])
    architecture["training"] = {**architecture["training"], **training}
    return {**tiny_options, "architecture": architecture}


@pytest.fixture(scope="module")
def runs(
    options: dict[str, Any], fit: Fit, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Two working folders: of a run that was killed in epoch 4, and of one that was not."""
    folders = tmp_path_factory.mktemp("killed"), tmp_path_factory.mktemp("straight")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folders[0])
        with pytest.raises(Killed):
            fit(options, listeners=[kill])
        patch.chdir(folders[1])
        fit(options)
    return folders


def empty(content: bytearray) -> bytes:
    return b""


def half(content: bytearray) -> bytes:
    return content[: len(content) // 2]


def one_byte_less(content: bytearray) -> bytes:
    return content[:-1]


def largest(content: bytearray) -> int:
    """Where the largest member of the archive lies, well inside."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = max(archive.infolist(), key=lambda one: one.file_size)
    return member.header_offset + 200


def flipped(content: bytearray) -> bytes:
    content[largest(content)] ^= 1
    return content


def with_zeros(content: bytearray) -> bytes:
    start = len(content) // 2 - 20_000
    content[start : start + 40_000] = bytes(40_000)
    return content


@pytest.mark.parametrize("damage", [empty, half, one_byte_less, flipped, with_zeros])
def test_a_damaged_newest_checkpoint_is_passed_over_and_kept_aside(
    runs: tuple[Path, Path],
    options: dict[str, Any],
    fit: Fit,
    here: Path,
    same_outcome: Callable[[Path, Path], int],
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[bytearray], bytes],
) -> None:
    killed, straight = runs
    shutil.copytree(killed / "outputs", here / "outputs")
    damaged = [path for path in here.rglob("*.ckpt") if read(path)["epoch"] == 3]
    assert "last.ckpt" in {path.name for path in damaged}
    for path in damaged:
        path.write_bytes(damage(bytearray(path.read_bytes())))
    spoilt = (damaged[0].parent / "last.ckpt").read_bytes()
    with caplog.at_level("INFO", "mtt"):
        folder = fit(options, "auto")
    assert "after epoch 2" in caplog.text
    for path in damaged:
        assert f"passed over: {path.relative_to(here)}: is " in caplog.text
    assert (folder.checkpoints / "last.ckpt.damaged").read_bytes() == spoilt
    same_outcome(straight, here)


# ------------------------------------------------------------------------------ a full disk


@contextmanager
def full_after(n_bytes: int) -> Iterator[None]:
    """No file can grow beyond ``n_bytes``, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))  # Python ignores its signal
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


LIMIT = 50_000  # bytes: room for the logs of a run, not for its checkpoints
NO_SPACE = r"ckpt: cannot be written \([\d,]+ bytes of tensors\): File too large; [\d,]+ bytes are"


def test_a_training_outlives_a_full_disk_and_saves_when_there_is_space_again(
    options: dict[str, Any],
    runs: tuple[Path, Path],
    fit: Fit,
    here: Path,
    same_outcome: Callable[[Path, Path], int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    found: list[tuple[int, int, list[str]]] = []
    full = full_after(LIMIT)

    def fill(category: str, values: Any, epoch: int) -> None:
        if category == "progress" and (epoch, values["batch"]) == (2, 1):
            full.__enter__()
        if category == "progress" and (epoch, values["batch"]) == (4, 1):
            (folder,) = here.glob("outputs/*/*/checkpoints")
            temporary = [path.name for path in folder.glob(".*")]
            found.append((read(folder / "last.ckpt")["epoch"], epoch, temporary))
            full.__exit__(None, None, None)

    try:
        folder = fit(options, listeners=[fill])
    finally:
        full.__exit__(None, None, None)
    assert found == [(1, 4, [])]
    told = [one.getMessage() for one in caplog.records if "not saved" in one.getMessage()]
    assert len([one for one in told if "last.ckpt" in one]) == 2
    assert all(re.search(NO_SPACE, one) for one in told)
    assert read(folder.checkpoints / "last.ckpt")["epoch"] == 4
    same_outcome(runs[1], here)


def test_a_training_that_cannot_save_its_end_says_so_and_leaves_nothing_half_made(
    options: dict[str, Any], mtt: Callable[..., Any], write: Callable[..., Path], here: Path
) -> None:
    write(options)
    with full_after(LIMIT):
        done = mtt("train", "options.yaml")
    assert done.code == 1
    message = done.err.splitlines()[-1]
    assert message.startswith("error: ")
    assert re.search(r"checkpoints/last\." + NO_SPACE, message)
    assert "Traceback" not in done.out + done.err
    assert sorted(path.name for path in here.iterdir()) == ["options.yaml", "outputs"]
    assert not [path for path in here.rglob("*") if path.suffix in (".tmp", ".ckpt", ".pt")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "CHECKPOINT", "-o", "out.pt"),
        ("export", "CHECKPOINT", "-o", "out.zip"),
        ("export", "CHECKPOINT", "-m", "metadata.yaml", "-o", "out.ckpt"),
        ("eval", "CHECKPOINT", "eval.yaml", "-o", "out.xyz"),
        ("data", "pack", "DATA", "-o", "out"),
    ],
    ids=" ".join,
)
def test_a_file_that_does_not_fit_on_the_disk_is_reported_with_its_path_and_absent(
    tiny: dict[str, Any],
    write: Callable[..., Path],
    refused: Callable[..., str],
    trained: Path,
    arguments: tuple[str, ...],
) -> None:
    write({"name": "a name"}, "metadata.yaml")
    write({"systems": tiny["training_set"]["systems"]}, "eval.yaml")
    data = tiny["training_set"]["systems"]["read_from"]
    paths = {"CHECKPOINT": trained / "model.ckpt", "DATA": data}
    with full_after(2000):
        message = refused(*(paths.get(one, one) for one in arguments))
    assert f"{arguments[-1]}: cannot be written" in message


def test_a_full_disk_is_not_a_bug_wherever_it_is_noticed(
    refused: Callable[..., str], trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    message = refused("export", trained / "model.ckpt", "-o", "out.zip")
    assert "cannot be written: No space left on device" in message


# ------------------------------------------------------------------------ foreign programs


class Payload:
    """Runs a program when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch sentinel",)


@pytest.mark.parametrize("place", ["trainer_state", "model_state_dict", "metadata"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_program_in_a_checkpoint_is_refused_by_every_command(
    tiny: dict[str, Any],
    write: Callable[..., Path],
    refused: Callable[..., str],
    trained: Path,
    here: Path,
    place: str,
    protocol: int,
) -> None:
    content = read(trained / "model.ckpt") | {place: Payload()}
    torch.save(content, "bad.ckpt", pickle_protocol=protocol)
    write({"systems": tiny["training_set"]["systems"]}, "eval.yaml")
    write({"name": "a name"}, "metadata.yaml")
    write(tiny)
    tiny["architecture"]["training"]["finetune"] = {"read_from": "bad.ckpt"}
    write(tiny, "finetune.yaml")
    told = [
        refused("train", "options.yaml", "--restart", "bad.ckpt"),
        refused("train", "finetune.yaml"),
        refused("eval", "bad.ckpt", "eval.yaml"),
        refused("export", "bad.ckpt", "-o", "model.pt"),
        refused("export", "bad.ckpt", "-o", "model.zip"),
        refused("export", "bad.ckpt", "-m", "metadata.yaml", "-o", "model.ckpt"),
        refused("show", "bad.ckpt"),
    ]
    assert all("bad.ckpt: " in one for one in told)
    assert not (here / "sentinel").exists()


def test_a_program_in_the_newest_checkpoint_of_a_run_is_passed_over(
    runs: tuple[Path, Path],
    options: dict[str, Any],
    fit: Fit,
    here: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copytree(runs[0] / "outputs", here / "outputs")
    (last,) = here.glob("outputs/*/*/checkpoints/last.ckpt")
    torch.save(read(last) | {"epoch": 100, "trainer_state": Payload()}, last)
    fit(options, "auto")
    assert re.search(
        r"passed over: .*last\.ckpt: holds Python objects \(posix\.system\)", caplog.text
    )
    assert not (here / "sentinel").exists()

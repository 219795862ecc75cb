"""A full disk or a kill in the middle of an output: what was there stays, and no rest is left."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mtt.disk import lock
from mtt.workflows.run.folder import RunFolder

KILLED = Path(__file__).resolve().parent / "killed.py"


@contextmanager
def full(n_bytes: int) -> Iterator[None]:
    """No file can be longer: what writes more gets EFBIG, as on a disk without space."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("output", "arguments"),
    [
        ("out.xyz", ["eval", "model.ckpt", "eval.yaml", "-o", "out.xyz"]),
        ("out.pt", ["export", "model.ckpt", "-o", "out.pt"]),
        ("out.zip", ["export", "model.ckpt", "-o", "out.zip"]),
        ("out.ckpt", ["export", "model.ckpt", "-o", "out.ckpt", "-m", "metadata.yaml"]),
        ("packed", ["data", "pack", "data.xyz", "-o", "packed"]),
        ("pair_net", ["new", "pair_net"]),
    ],
)
def test_a_command_without_space_says_so_and_leaves_everything_as_it_was(
    refused: Callable[..., str],
    write: Callable[..., Path],
    trained: Path,
    ethanol: Path,
    output: str,
    arguments: list[str],
) -> None:
    write({"systems": "data.xyz"}, "eval.yaml")
    write({"name": "a name"}, "metadata.yaml")
    shutil.copyfile(trained / "model.ckpt", "model.ckpt")
    shutil.copyfile(ethanol, "data.xyz")
    if "." in output:
        Path(output).write_text("of an older run")
    with full(1500):
        message = refused(*arguments)
    assert f"{output}: cannot be written" in message
    assert "File too large" in message


def test_a_training_without_space_names_the_file(
    tiny: dict[str, Any], write: Callable[..., Path], mtt: Callable[..., Any]
) -> None:
    write(tiny)
    with full(200):
        done = mtt("train", "options.yaml")
    assert done.code == 1
    assert "options_restart.yaml: cannot be written: File too large; " in done.err
    assert "bytes are free in" in done.err


def test_a_log_without_space_is_reported_once_and_the_training_lives(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    logger = logging.getLogger("mtt.test")
    messages: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("mtt").addHandler(listener)
    try:
        with full(40), RunFolder(here).logging():
            for i in range(20):
                logger.debug("line %d", i)
    finally:
        logging.getLogger("mtt").removeHandler(listener)
    assert [one for one in messages if "cannot be written" in one] == [
        f"{here}/train.log cannot be written: File too large"
    ]
    assert "Traceback" not in capsys.readouterr().err


@pytest.fixture(scope="module")
def killed(
    trained: Path,
    ethanol: Path,
    forked: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, Any]]:
    """The folder in which commands were killed, and what each one left."""
    folder = tmp_path_factory.mktemp("killed")
    with contextlib.chdir(folder):
        done = forked(KILLED, trained / "model.ckpt", ethanol)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads(done.stdout.splitlines()[-1])


def test_a_kill_leaves_no_half_output_and_the_next_command_removes_the_rest(
    killed: tuple[Path, dict[str, Any]], here: Path, mtt: Callable[..., Any]
) -> None:
    shutil.copytree(killed[0], here, dirs_exist_ok=True)
    assert set(killed[1]) == {"out.xyz", "out.pt", "out.zip", "out", "out_of"}
    for name, found in killed[1].items():
        assert found["signal"] == signal.SIGKILL, name
        (rest,) = found["left"]
        assert rest.startswith(f".{name}."), rest
        assert not Path(name).exists()
    for name, found in killed[1].items():
        assert mtt(*found["arguments"]).code == 0
        assert Path(name).exists()
    assert not [path.name for path in here.iterdir() if path.name.startswith(".")]


def test_what_another_process_writes_is_not_taken_for_a_rest(
    trained: Path, ethanol: Path, write: Callable[..., Path], mtt: Callable[..., Any], here: Path
) -> None:
    write({"systems": str(ethanol)}, "eval.yaml")
    for name in ("packed", "other"):
        Path(f".{name}.abcd_123.tmp").mkdir()
    Path(".out.xyz.0123abcd.tmp").write_text("half")
    Path(".mine.tmp").mkdir()
    folder = os.open(".other.abcd_123.tmp", os.O_RDONLY)
    with Path(".other.xyz.0123abcd.tmp").open("x") as used:
        lock(used)
        lock(folder)
        assert mtt("eval", trained / "model.ckpt", "eval.yaml", "-o", "out.xyz").code == 0
        assert mtt("data", "pack", ethanol, "-o", "packed").code == 0
        kept = {path.name for path in here.iterdir() if path.name.startswith(".")}
        assert kept == {".other.abcd_123.tmp", ".other.xyz.0123abcd.tmp", ".mine.tmp"}
    fcntl.flock(folder, fcntl.LOCK_UN)
    os.close(folder)

"""The run folder: ``outputs/YYYY-MM-DD/HH-MM-SS/`` and the files in it."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from mtt.checkpoint.temporary import lock, replace_text
from mtt.errors import CheckpointError, ConfigError, MttError, TrainingError
from mtt.exporting.files import take_name, temporary
from mtt.stopping import Stopped

log = logging.getLogger(__name__)

OUTPUTS = Path("outputs")
OPTIONS = "options_restart.yaml"
PROVENANCE = "provenance.json"


class RunFolder:
    """The files of one run.

    :param path: the folder; see :func:`new_folder`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.options = path / OPTIONS
        self.log = path / "train.log"
        self.model = path / "model.pt"
        self.checkpoint = path / "model.ckpt"

    def write_indices(
        self,
        indices: Mapping[str, Sequence[Sequence[int]]],
        places: Mapping[str, Sequence[Sequence[str]]],
    ) -> None:
        """``indices/training.txt`` …: frames of each set, counted from 0, one per line.

        Several data sets are numbered: ``training_0.txt``, ``training_1.txt`` …

        :param places: where each frame was read from, a comment behind its number;
            empty for a data set of one file.
        """
        folder = self.path / "indices"
        folder.mkdir(exist_ok=True)
        for name, sets in indices.items():
            for i, frames in enumerate(sets):
                suffix = f"_{i}" if len(sets) > 1 else ""
                known = places[name][i]
                comments = [f"  # {place}" for place in known] if known else [""] * len(frames)
                pairs = zip(frames, comments, strict=True)
                text = "".join(f"{frame}{comment}\n" for frame, comment in pairs)
                self.write_text(f"indices/{name}{suffix}.txt", text)

    def write_json(self, name: str, values: Mapping[str, Any]) -> None:
        """A file ``name`` of plain values."""
        self.write_text(name, json.dumps(values, indent=2, ensure_ascii=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """A file ``name``: the old one or the new one at any time, as a restart needs them."""
        path = self.path / name
        try:
            replace_text(path, text)
        except OSError as error:
            free = shutil.disk_usage(self.path).free
            raise TrainingError(
                f"cannot be written: {error.strerror}",
                where=str(path),
                hint=f"{free:,} bytes are free in {self.path}",
            ) from error

    def is_in_use(self) -> bool:
        """Whether a process trains in this folder, that is, holds the lock of ``train.log``."""
        try:
            with self.log.open("rb") as file:
                lock(file)
        except BlockingIOError:
            return True
        except OSError:  # no such file, or a file system that knows no locks
            return False
        return False

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Write all logs of the block to ``train.log``, and the error that ends it.

        :raises ConfigError: another process is inside such a block for this folder.
        """
        handler = _Log(self.log, encoding="utf-8")
        assert handler.stream is not None
        try:
            _claim(handler.stream, self.path)
        except ConfigError:
            handler.close()
            raise
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger = logging.getLogger("mtt")
        level = logger.level
        logger.setLevel(logging.DEBUG)  # other handlers choose for themselves
        logger.addHandler(handler)
        try:
            yield
        except (MttError, Stopped) as end:
            logger.debug("%s: %s", type(end).__name__, end)
            raise
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
            with suppress(OSError):  # what it still holds does not fit on a full disk
                handler.close()


class _Log(logging.FileHandler):
    """Reports once that it cannot be written, instead of a traceback for every line."""

    _reported = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._reported:
            self._reported = True
            log.warning("%s cannot be written: %s", self.baseFilename, error.strerror)


def new_folder(outputs: Path = OUTPUTS) -> RunFolder:
    """A folder that did not exist; two runs in one second get ``.1``, ``.2`` …

    :raises ConfigError: the folder cannot be written.
    """
    now = datetime.now()
    day, time = now.strftime("%Y-%m-%d"), now.strftime("%H-%M-%S")
    suffix = 0
    while True:
        path = outputs / day / (f"{time}.{suffix}" if suffix else time)
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            suffix += 1
            continue
        except OSError as error:
            raise ConfigError(
                f"cannot make the run folder ({error.strerror})",
                where=str(path),
                hint="run mtt where you may write",
            ) from error
        return RunFolder(path)


def _claim(log: IO[str], folder: Path) -> None:
    """Keep other processes out for as long as ``log`` is open, however this one ends.

    :raises ConfigError: another one has it open.
    """
    # a file system may not support locks; then no process is kept out
    with suppress(OSError):
        try:
            lock(log)
        except BlockingIOError as error:
            raise ConfigError(
                "another process is training in this folder",
                where=str(folder),
                hint="wait for its end, or stop it; a separate run continues from a copy of the "
                "checkpoint elsewhere",
            ) from error


def root_of(checkpoint: Path) -> Path:
    """The run folder that ``checkpoint`` would belong to, by its path."""
    folder = checkpoint.resolve().parent
    return folder.parent if folder.name == "checkpoints" else folder


def check_writable(path: Path) -> None:
    """Whether ``path`` can be written, tried before any work is done.

    :raises ConfigError: it is a folder, its folder does not exist, or may not be written.
    """
    folder = path.resolve().parent
    if path.is_dir():
        raise ConfigError("this is a folder", where=str(path), hint="give a file name")
    if not folder.is_dir():
        raise ConfigError(
            "the folder of the output does not exist",
            where=str(path),
            hint=f"make it first: mkdir -p {folder}",
        )
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise ConfigError("the output cannot be written", where=str(path), hint="check its rights")


def place(source: Path, target: Path) -> None:
    """Copy a file so that ``target`` is complete at any time.

    :raises CheckpointError: it cannot be written.
    """
    with temporary(target) as file:
        try:
            shutil.copyfile(source, file)
            take_name(file, target)
        except OSError as error:
            what = f"cannot be written ({source.stat().st_size:,} bytes): {error.strerror}"
            raise CheckpointError(
                what, where=str(target), hint=f"it is kept as {source}"
            ) from error

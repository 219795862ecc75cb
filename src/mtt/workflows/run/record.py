"""The command that began or resumed a run: written into its folder, and how to resume it."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mtt.processes.place import LAUNCHED

RECORD = "command.json"
"""File of the run folder."""


@dataclass(frozen=True)
class Command:
    """What ``mtt train`` was given.

    :param options: the options file as it was named; empty for options passed in Python.
    :param file: the same file, absolute and without links.
    :param folder: where the command ran, absolute and without links: that of ``outputs``.
    :param nproc: processes that it started; empty for one.
    """

    options: str
    file: str
    folder: str
    output: str = "model.pt"
    overrides: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    nproc: str = ""

    @property
    def name(self) -> str:
        """Name of the options file, for messages."""
        return self.options or "options passed in Python"

    def is_of_the_same_file(self, other: Command) -> bool:
        """Whether both name one options file.

        A folder that was copied or moved with its runs counts as the same: then the path from
        it to the file decides.
        """
        if not self.file or not other.file:
            return not self.file and not other.file
        return self.file == other.file or self._relative() == other._relative()

    def resuming(self, restart: str) -> str:
        """The whole command that resumes the run, or the call in Python.

        :param restart: a checkpoint, or ``auto``.
        """
        if not self.options:
            given: dict[str, Any] = {"overrides": [*self.overrides]}
            given |= {"architectures": [*self.architectures]}
            given |= {"output": self.output if self.output != "model.pt" else ""}
            words = [f"{key}={value!r}" for key, value in given.items() if value]
            return f"train({', '.join(['options', *words, f'restart={restart!r}'])})"
        words = ["mtt", "train", self.options]
        words += ["-o", self.output] if self.output != "model.pt" else []
        words += ["--nproc", self.nproc] if self.nproc else []
        for override in self.overrides:
            words += ["-r", override]
        for folder in self.architectures:
            words += ["--architectures", folder]
        return shlex.join([*words, "--restart", restart])

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "options": self.options,
            "file": self.file,
            "folder": self.folder,
            "output": self.output,
            "overrides": list(self.overrides),
            "architectures": list(self.architectures),
            **({"nproc": self.nproc} if self.nproc else {}),
        }

    def _relative(self) -> str:
        return os.path.relpath(self.file, self.folder)


def command_of(
    options: str,
    output: str | Path,
    overrides: tuple[str, ...],
    architectures: tuple[str | Path, ...],
) -> Command:
    """The command that runs now, here.

    :param options: the file; empty for options passed in Python.
    """
    return Command(
        options=options,
        file=str(Path(options).resolve()) if options else "",
        folder=str(Path.cwd().resolve()),
        output=str(output),
        overrides=overrides,
        architectures=tuple(map(str, architectures)),
        nproc=os.environ.get(LAUNCHED, ""),
    )


def recorded(run: Path) -> Command | None:
    """The command of the run in the folder ``run``; None where it is not known.

    Versions of mtt before this record wrote none; a damaged one is worth as little.
    """
    try:
        values = json.loads((run / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    texts = [values.get(key) for key in ("options", "file", "folder", "output")]
    lists = [values.get(key) for key in ("overrides", "architectures")]
    if not all(isinstance(one, str) for one in texts) or not all(map(_are_texts, lists)):
        return None
    known = Command(*texts, *map(tuple, lists))  # type: ignore[arg-type]
    return replace(known, nproc=str(values.get("nproc", "")))


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)

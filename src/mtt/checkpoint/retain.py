"""Which checkpoints are kept, and which one a restart uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mtt.checkpoint.format import progress
from mtt.checkpoint.read import peek, verify
from mtt.checkpoint.write import write
from mtt.errors import CheckpointError, Problem

LAST = "last.ckpt"
PREVIOUS = "last.previous.ckpt"
DAMAGED = "last.ckpt.damaged"

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"(\d{2}-\d{2}-\d{2})(?:\.(\d+))?")


class Newest(NamedTuple):
    """The newest valid checkpoint of a folder, and what is wrong with the newer ones."""

    path: Path | None
    damaged: tuple[Problem, ...] = ()


def write_last(folder: str | Path, checkpoint: Mapping[str, Any]) -> Path:
    """Write ``last.ckpt`` into ``folder``; the one before stays as ``last.previous.ckpt``.

    A damaged one never takes the place of a good one: it is kept aside as
    ``last.ckpt.damaged``.

    :raises CheckpointError: as :func:`mtt.checkpoint.write`.
    """
    last = Path(folder) / LAST
    kept = PREVIOUS if not last.exists() or _is_valid(last) else DAMAGED
    write(last, checkpoint, keep=last.with_name(kept))
    return last


def newest_valid(folder: str | Path) -> Newest:
    """The ``.ckpt`` of ``folder`` that came furthest, by the epoch and step stored inside.

    The time of a file says nothing: it changes when a run is copied. Files that are not
    valid checkpoints are skipped and reported. Of equals, ``last.ckpt`` is taken.
    """
    return _newest(Path(folder).glob("*.ckpt"))


def find_latest_run(outputs: str | Path) -> Newest:
    """The newest checkpoint of the newest run in ``outputs/<day>/<time>``.

    A run without any valid checkpoint is passed over for the one before it; its damaged files are
    in the result. Whose run it is does not matter here.
    """
    damaged: tuple[Problem, ...] = ()
    for folder in runs_in(outputs):
        found = newest_of_run(folder)
        damaged += found.damaged
        if found.path is not None:
            return Newest(found.path, damaged)
    return Newest(None, damaged)


def newest_of_run(folder: str | Path) -> Newest:
    """The newest valid checkpoint in ``checkpoints`` of a run folder, and in itself."""
    folder = Path(folder)
    return _newest([*folder.glob("checkpoints/*.ckpt"), *folder.glob("*.ckpt")])


def runs_in(outputs: str | Path) -> list[Path]:
    """The run folders ``outputs/<day>/<time>``, ordered by name, the newest first."""
    return [run[-1] for run in sorted(_runs(Path(outputs)), reverse=True)]


def _newest(paths: Iterable[Path]) -> Newest:
    candidates: list[tuple[tuple[Any, ...], Path]] = []
    damaged: list[Problem] = []
    for path in sorted(paths):
        try:
            candidates.append(((*progress(peek(path)), *_preference(path)), path))
        except CheckpointError as error:
            damaged.extend(error.problems)
    for _, path in sorted(candidates, reverse=True):
        try:
            verify(path)
        except CheckpointError as error:
            damaged.extend(error.problems)
        else:
            return Newest(path, tuple(damaged))
    return Newest(None, tuple(damaged))


def _preference(path: Path) -> tuple[bool, list[tuple[int, str]]]:
    """Of checkpoints at the same step: the last one, else by name (``_10`` after ``_9``)."""
    pieces = re.findall(r"\d+|\D+", path.stem)
    return path.name == LAST, [(int(p), "") if p.isdigit() else (-1, p) for p in pieces]


def _runs(outputs: Path) -> Iterable[tuple[str, str, int, Path]]:
    for day in outputs.glob("*"):
        for run in day.glob("*") if _DAY.fullmatch(day.name) else ():
            match = _TIME.fullmatch(run.name)
            if match and run.is_dir():
                yield day.name, match[1], int(match[2] or 0), run


def _is_valid(path: Path) -> bool:
    try:
        verify(path)
    except CheckpointError:
        return False
    return True

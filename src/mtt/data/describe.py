"""Describe a packed data set in plain values for `mtt show`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtt.data.storage.columns import Columns
from mtt.data.storage.store import neighbor_lists, read_columns
from mtt.errors import DataError

_PAIRS = "neighbors-"


def describe_packed(folder: Path) -> dict[str, Any]:
    """The content of the packed data set ``folder``, as JSON values.

    Always there are ``file``, ``bytes``, ``kind`` (``"packed data set"``) and ``problem``, None
    where the data and all neighbour lists can be used.
    """
    head: dict[str, Any] = {
        "file": str(folder),
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "kind": "packed data set",
        "problem": None,
    }
    try:
        columns, info = read_columns(folder)
    except DataError as error:
        return head | {"problem": str(error)}
    head |= {"structures": len(columns), "atoms": int(columns.offsets[-1]), **info.to_dict()}
    try:
        return head | {"neighbor_lists": _lists(columns, folder)}
    except DataError as error:
        return head | {"problem": str(error), "neighbor_lists": None}


def _lists(columns: Columns, folder: Path) -> dict[str, int]:
    """Pairs within each cutoff for which there are lists."""
    counts = {}
    for path in sorted(folder.glob(f"{_PAIRS}*")):
        cutoff = path.name.removeprefix(_PAIRS)
        try:
            pairs = neighbor_lists(columns, float(cutoff))
        except ValueError as error:
            raise DataError("is not a folder of neighbour lists", where=str(path)) from error
        counts[cutoff] = int(pairs.offsets[-1])
    return counts

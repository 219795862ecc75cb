"""Runs whose predictions have errors that are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtt.data import DatasetInfo, TargetInfo
from mtt.report.kept import Kept
from mtt.report.run_data import RunData

MakeRun = Callable[..., RunData]
INFO = DatasetInfo("angstrom", (1, 6), {"energy": TargetInfo.energy("eV", forces=True)})


@pytest.fixture(scope="session")
def make_run() -> MakeRun:
    """``make_run("a", 0.5)``: see :func:`_run`."""
    return _run


def _run(
    name: str,
    error: float = 0.1,
    frames: Sequence[int] = range(8),
    test: str = "t",
    n: int = 10,
    options: dict[str, Any] | None = None,
    predictions: bool = True,
) -> RunData:
    """A run with test errors of ``error`` (eV/atom and eV/Å) on ``frames`` of one file.

    Structures have an atom H and an atom C, whose forces are off by ``error`` and twice as much.
    The first half of the frames is cold, the other one is hot.
    """
    digests = {"structures": test, "values:energy": test, "forces:energy": test}
    rmse = float(np.sqrt(2.5)) * error
    errors = {"energy RMSE (eV/atom)": error, "forces RMSE (eV/Å)": rmse}
    return RunData(
        name=name,
        folder=Path(name),
        facts={"state": "finished", "errors": {"evaluation": {"test": errors}}},
        info=INFO,
        options=options or {},
        provenance={
            "data": name,
            "sets": {"training": {"n": n}, "test": {"n": len(frames), "digests": digests}},
        },
        kept=_kept(error, np.array(frames)) if predictions else None,
    )


def _kept(error: float, frames: Any) -> Kept:
    n = len(frames)
    structure = np.repeat(np.arange(n), 6)
    reference = (frames[structure] + np.tile(np.arange(6) / 10, n)).astype(float)
    off = error * np.tile([1.0, 1.0, 1.0, 2.0, 2.0, 2.0], n)
    arrays = {
        "part": np.zeros(n, dtype=np.uint8),
        "set": np.zeros(n, dtype=np.uint16),
        "n_atoms": np.full(n, 2),
        "source": np.zeros(n, dtype=np.int32),
        "frame": frames,
        "group/0": (np.arange(n) >= n // 2).astype(np.int16),
        "0/structure": np.arange(n),
        "0/element": np.zeros(n, dtype=np.uint8),
        "0/reference": frames.astype(float),
        "0/predicted": frames + error,
        "1/structure": structure,
        "1/element": np.tile([1, 1, 1, 6, 6, 6], n).astype(np.uint8),
        "1/reference": reference,
        "1/predicted": reference + off,
    }
    for q in (0, 1):
        rows = arrays[f"{q}/structure"]
        error_ = arrays[f"{q}/predicted"] - arrays[f"{q}/reference"]
        arrays[f"{q}/squares"] = np.bincount(rows, error_**2, n)
        arrays[f"{q}/absolutes"] = np.bincount(rows, np.abs(error_), n)
        arrays[f"{q}/count"] = np.bincount(rows, minlength=n)
    elements = {"H": [error, error, 3 * n], "C": [2 * error, 2 * error, 3 * n]}
    quantities = [
        {"name": "energy", "target": "energy", "part": "per atom", "unit": "eV/atom"},
        {"name": "forces", "target": "energy", "part": "forces", "unit": "eV/Å"},
    ]
    shown = [["meV/atom", 1000.0], ["meV/Å", 1000.0]]
    facts = {
        "parts": ["test"],
        "totals": {"test": n},
        "sets": {"test": ["data set 1"]},
        "files": ["/somewhere/a.xyz"],
        "quantities": [{**q, "shown": s} for q, s in zip(quantities, shown, strict=True)],
        "elements": {"energy": {}, "forces": {"test": elements}},
        "groups": [{"name": "config_type", "values": ["cold", "hot"]}],
    }
    return Kept(facts, arrays)

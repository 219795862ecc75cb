"""Packed data sets of released formats are read, and the format does not change unnoticed."""

from __future__ import annotations

import json
import runpy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mtt.data import Dataset
from mtt.data.storage.store import FORMAT_VERSION, PAIRS_VERSION

ROOT = Path(__file__).parent
WHAT_TO_DO = (
    "the format of packed data has changed: raise FORMAT_VERSION (or PAIRS_VERSION) in "
    "mtt/data/storage/store.py, have the old one read there, and run tests/data/packed.py"
)


@pytest.fixture(scope="module")
def packed() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(ROOT / "packed.py")))


FORMATS = runpy.run_path(str(ROOT / "packed.py"))["FORMATS"]


@pytest.fixture(params=FORMATS)
def stored(request: pytest.FixtureRequest, packed: SimpleNamespace, tmp_path: Path) -> Path:
    """A copy of the stored data set of every format; what is added to it goes nowhere."""
    path, (data, lists) = packed.path_of(*request.param), request.param
    assert path.is_dir(), f"write {path.name}: python tests/data/packed.py"
    for file, version in (("dataset.json", data), ("neighbors-2.6/dataset.json", lists)):
        assert json.loads((path / file).read_text())["format_version"] == version
    return Path(shutil.copytree(path, tmp_path / path.name))


def test_data_of_every_format_so_far_are_read(
    stored: Path, packed: SimpleNamespace, assert_equal: Callable[..., None]
) -> None:
    before = sorted(path.name for path in stored.rglob("*"))
    opened, fresh = Dataset.open(stored), Dataset.from_frames(packed.frames(), packed.INFO)
    assert_equal(opened, fresh)
    ours, theirs = opened.pairs(packed.CUTOFF), fresh.pairs(packed.CUTOFF)
    assert ours.offsets.tolist() == theirs.offsets.tolist()
    assert pairs(ours) == pairs(theirs)
    assert len(pairs(ours)) > 10
    assert torch.equal(opened.columns.rows["weights"], torch.ones(4, dtype=torch.float64))
    assert sorted(path.name for path in stored.rglob("*")) == before


def pairs(lists: Any) -> list[list[int]]:
    """All pairs, in an order that does not depend on who has found them."""
    rows = [lists.centers[:, None], lists.neighbors[:, None], lists.shifts]
    found = torch.cat([one.long() for one in rows], dim=1)
    structure = torch.arange(len(lists.offsets) - 1).repeat_interleave(
        torch.from_numpy(np.diff(lists.offsets))
    )
    return sorted(torch.cat([structure[:, None], found], dim=1).tolist())


def test_the_formats_of_today_are_stored() -> None:
    assert FORMATS[-1] == (FORMAT_VERSION, PAIRS_VERSION)


def test_the_format_of_packed_data_does_not_change_without_a_new_version(
    packed: SimpleNamespace, tmp_path: Path
) -> None:
    packed.write(tmp_path / "today")
    before = dict(contents(packed.path_of(*packed.TODAY)))
    assert dict(contents(tmp_path / "today")) == before, WHAT_TO_DO


def contents(folder: Path) -> Iterator[tuple[str, Any]]:
    """Every file: the JSON in it, or dtype and values of its array, for lists its shape."""
    for path in sorted(folder.rglob("*.*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".json":
            yield name, json.loads(path.read_text())
        elif path.suffix == ".npy":
            array = np.load(path, mmap_mode="r")
            lists = path.parent != folder  # whose order is that of the program that finds them
            yield name, (array.dtype.str, array.shape if lists else array.tobytes())

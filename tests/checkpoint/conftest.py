"""A small checkpoint, and the ways to spoil a file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtt.checkpoint import write


@pytest.fixture
def checkpoint() -> dict[str, Any]:
    """What a trainer stores, small."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return {
        "architecture_name": "two_numbers",
        "model_ckpt_version": 1,
        "trainer_ckpt_version": 1,
        "model_hypers": {"cutoff": 5.0, "widths": [8, 8]},
        "train_hypers": {"num_epochs": 10},
        "dataset_info": {
            "length_unit": "angstrom",
            "atomic_types": [1, 6],
            "targets": {"energy": {"quantity": "energy", "unit": "eV"}},
            "extra_data": {},
        },
        "metadata": {"name": "a name"},
        "provenance": {"torch": "2.13.0"},
        "model_state_dict": model.state_dict(),
        "best_model_state_dict": model.state_dict(),
        "epoch": 3,
        "best_epoch": 2,
        "best_metric": float("nan"),
        "trainer_state": {
            "step": 30,
            "optimizer": optimizer.state_dict(),
            "rng": torch.get_rng_state(),
        },
    }


@pytest.fixture
def file(tmp_path: Path, checkpoint: dict[str, Any]) -> Path:
    """The small checkpoint, written."""
    path = tmp_path / "last.ckpt"
    write(path, checkpoint)
    return path


@pytest.fixture
def flip() -> Callable[[Path, int], None]:
    """Flips the lowest bit of one byte of a file."""

    def flip_bit(path: Path, offset: int) -> None:
        content = bytearray(path.read_bytes())
        content[offset] ^= 1
        path.write_bytes(content)

    return flip_bit


@pytest.fixture
def inside() -> Callable[[Path, str], int]:
    """Offset of the content of the first member of an archive whose name ends like this."""

    def offset(path: Path, ending: str) -> int:
        with zipfile.ZipFile(path) as archive:
            member = next(x for x in archive.infolist() if x.filename.endswith(ending))
        start = member.header_offset
        lengths = path.read_bytes()[start + 26 : start + 30]  # of the name, of the extra field
        return start + 30 + sum(int.from_bytes(lengths[i : i + 2], "little") for i in (0, 2))

    return offset


@pytest.fixture
def same() -> Callable[[Any, Any], bool]:
    """Whether two contents are equal, tensors bit for bit."""

    def equal(a: Any, b: Any) -> bool:
        if type(a) is not type(b):
            return False
        if isinstance(a, torch.Tensor):
            return a.dtype == b.dtype and torch.equal(a, b)
        if isinstance(a, dict):
            return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
        if isinstance(a, list | tuple):
            return len(a) == len(b) and all(map(equal, a, b))
        return a == b or (a != a and b != b)

    return equal

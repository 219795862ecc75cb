from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ase
import ase.io
import metatensor.torch as mts
import pytest
import torch
from metatensor.torch import Labels, TensorBlock, TensorMap

from mtt import Dataset
from mtt.data import read_dataset
from mtt.options import load_eval_options

PAIR = ["system", "first_atom", "second_atom", "cell_shift_a", "cell_shift_b", "cell_shift_c"]
NAMES = {"system": ["system"], "atom": ["system", "atom"], "atom_pair": PAIR}

Save = Callable[..., str]
Read = Callable[..., Dataset]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Water and a molecule OH, in ``s.xyz`` of the working folder."""
    monkeypatch.chdir(tmp_path)
    water = ase.Atoms("OH2", [[0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    ase.io.write("s.xyz", [water, ase.Atoms("OH", [[0, 0, 0], [1.0, 0, 0]])])
    return tmp_path


@pytest.fixture
def save(folder: Path) -> Save:
    """Writes ``x.mts``: blocks by key, each with samples, values, and more of the block."""

    def write(
        names: Sequence[str], blocks: dict[tuple[int, ...], tuple[Any, Any]], kind: str, **axes: Any
    ) -> str:
        made = []
        for samples, values in blocks.values():
            numbers = torch.as_tensor(values, dtype=torch.float64)
            components = [Labels(n, torch.tensor(v)[:, None]) for n, v in axes.items()]
            properties = Labels("p", torch.arange(numbers.shape[-1])[:, None])
            rows = Labels(NAMES[kind], torch.tensor(samples))
            made.append(TensorBlock(numbers, rows, components, properties))
        keys = Labels(list(names), torch.tensor(list(blocks)))
        mts.save("x.mts", TensorMap(keys, made))
        return "x.mts"

    return write


@pytest.fixture
def read(folder: Path) -> Read:
    """The data set whose target ``mtt::x`` is in ``x.mts``."""

    def reading(**section: Any) -> Dataset:
        target = {"mtt::x": {"read_from": "x.mts", **section}}
        options = {"systems": {"read_from": "s.xyz", "length_unit": "angstrom"}, "targets": target}
        return read_dataset(load_eval_options(options)[0])

    return reading

"""Structures of which predictions are not finite: of structures, of atoms, and of pairs."""

from __future__ import annotations

import ase
import numpy as np
import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.data import Batch, Batching, Dataset, Loader
from mtt.data.frames import Frame
from mtt.graph import Target
from mtt.training.numerics.nonfinite import nonfinite

TARGETS = {
    "mtt::whole": TargetInfo(),
    "mtt::atom": TargetInfo(sample_kind="atom"),
    "mtt::pair": TargetInfo(sample_kind="atom_pair"),
}


def batch_of(*sizes: int) -> Batch:
    """Molecules of that many atoms; one atom is without a pair."""
    frames = []
    for n in sizes:
        atoms = ase.Atoms(f"H{n}", [[0.7 * i, 0.0, 0.0] for i in range(n)])
        of = (atoms.numbers.astype(np.int64), atoms.positions, atoms.cell.array, atoms.pbc)
        frames.append(Frame(*of, {}, {}, f"a.xyz, frame {n}"))
    data = Dataset.from_frames(frames, DatasetInfo("angstrom", (1,), {}))
    of = {"cutoff": 3.0, "dtype": torch.float64, "shuffle": False}
    return next(iter(Loader(data, (1,), batching=Batching(structures=9), **of).epoch()))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def batch() -> Batch:
    """No pair, 2 and 6 pairs."""
    return batch_of(1, 2, 3)


def predictions(batch: Batch) -> dict[str, Target]:
    sizes = {"mtt::whole": 3, "mtt::atom": 6, "mtt::pair": 8}
    assert (batch.graph.n_systems, len(batch.graph.system), len(batch.graph.centers)) == (3, 6, 8)
    return {name: Target(torch.zeros(n, 3, 1)) for name, n in sizes.items()}


@pytest.mark.parametrize(
    ("name", "row", "structure"),
    [
        ("mtt::whole", 1, 1),
        ("mtt::atom", 1, 1),
        ("mtt::atom", 5, 2),
        ("mtt::pair", 1, 1),
        ("mtt::pair", 2, 2),
    ],
)
def test_a_value_that_is_not_finite_is_of_its_structure(
    batch: Batch, name: str, row: int, structure: int
) -> None:
    found = predictions(batch)
    assert nonfinite(found, batch, TARGETS) == []
    found[name].values[row, 2] = torch.nan
    assert nonfinite(found, batch, TARGETS) == [structure]


def test_structures_without_any_pair_have_finite_values() -> None:
    alone = batch_of(1, 1)
    assert len(alone.graph.centers) == 0
    assert nonfinite({"mtt::pair": Target(torch.zeros(0, 3, 1))}, alone, TARGETS) == []

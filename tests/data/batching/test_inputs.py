"""Inputs of models in batches: charges, spins, and numbers that the user names."""

from __future__ import annotations

from typing import Any

import ase
import pytest
import torch

from mtt.data import Batching, Dataset, Loader, merge

EXTRA: dict[str, Any] = {
    "charge": {"key": "q"},
    "temperature": {"key": "T"},
    "site": {"key": "site", "sample_kind": "atom"},
    "energy_mask": {"key": "counts"},
    "field": {"key": "field", "num_subtargets": 3},
}


def frames(n: int) -> list[ase.Atoms]:
    made = []
    for i in range(n):
        atoms = ase.Atoms("H" * (1 + i), [[0.9 * k, 0, 0] for k in range(1 + i)])
        atoms.info |= {"energy": 1.0, "q": i - 1, "T": 300.0 + i, "counts": 1.0, "field": [0, 0, 1]}
        atoms.arrays["site"] = [10.0 * i + k for k in range(len(atoms))]
        made.append(atoms)
    return made


@pytest.fixture
def dataset() -> Dataset:
    targets = {"energy": {"key": "energy", "forces": False, "stress": False}}
    return Dataset.from_atoms(frames(4), targets, extra_data=EXTRA)


def loader(dataset: Dataset, size: int, **how: Any) -> Loader:
    given = {"cutoff": 1.5, "dtype": torch.float32, "batching": Batching(structures=size)}
    return Loader(dataset, (1,), shuffle=False, **{**given, **how})


@pytest.mark.parametrize("size", [1, 3, 4])
def test_batches_have_the_numbers_of_their_structures_and_atoms(
    dataset: Dataset, size: int
) -> None:
    found: dict[str, list[float]] = {"temperature": [], "site": []}
    charges: list[float] = []
    for batch in loader(dataset, size).epoch():
        graph = batch.graph
        assert graph.numbers is not None
        assert set(graph.numbers) == {"temperature", "site"}, "not masks, states and vectors"
        assert len(graph.numbers["temperature"]) == graph.n_systems
        assert len(graph.numbers["site"]) == len(graph.types)
        assert graph.charges is not None
        charges += graph.charges.tolist()
        for name, values in found.items():
            assert graph.numbers[name].dtype == torch.float64
            values += graph.numbers[name].tolist()
    assert charges == [-1, 0, 1, 2]
    assert found["temperature"] == [300, 301, 302, 303]
    assert found["site"] == [0, 10, 11, 20, 21, 22, 30, 31, 32, 33]


def test_turned_structures_keep_their_numbers_and_copies_have_them(dataset: Dataset) -> None:
    (plain,) = loader(dataset, 4).epoch()
    (turned,) = loader(dataset, 4, augmentation="o3").epoch()
    assert not torch.equal(plain.graph.vectors, turned.graph.vectors)
    copied = turned.to(torch.device("cpu"))
    assert plain.graph.numbers is not None
    for other in (turned, copied):
        assert other.graph.numbers is not None
        for name, values in plain.graph.numbers.items():
            assert torch.equal(other.graph.numbers[name], values)


def test_numbers_that_one_data_set_lacks_are_nan_there(dataset: Dataset) -> None:
    targets = {"energy": {"key": "energy", "forces": False, "stress": False}}
    both = merge([dataset, Dataset.from_atoms(frames(1), targets)])
    *_, last = loader(both, 1).epoch()
    assert last.graph.numbers is not None
    assert last.graph.numbers["temperature"].isnan().all()
    assert last.graph.charges is not None
    assert last.graph.charges.tolist() == [0]


def test_without_extra_data_there_are_none() -> None:
    data = Dataset.from_atoms(frames(1), {})
    (batch,) = loader(data, 1).epoch()
    assert batch.graph.numbers is None

"""The equations of several ranks are those of one, and elements without a given energy are free."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ase.io
import pytest
import torch
from torch import Tensor

from mtt import Dataset, LeastSquaresTrainer, registry
from mtt.interface import Run
from mtt.nn import building
from mtt.ranks import Ranks, SerialRanks
from mtt.training.datasets import TrainingData
from mtt.training.least_squares.assemble import assemble
from mtt.training.least_squares.equations import NormalEquations
from mtt.training.least_squares.solving import Solver
from mtt.training.reporting.events import Events


class Trainer(LeastSquaresTrainer):
    __checkpoint_version__ = 1


class ThreadRanks(Ranks):
    """A rank that is a thread; these exchange what they add up."""

    def __init__(self, rank: int, values: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self.size = rank, len(values)
        self._values, self._barrier = values, barrier

    def gather(self, value: Any) -> list[Any]:
        self._values[self.rank] = value
        self._barrier.wait()
        found = list(self._values)
        self._barrier.wait()
        return found

    def sum(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        return [sum(each[1:], each[0]) for each in zip(*self.gather(tensors), strict=True)]

    def sum_known(self, *_: Any) -> list[Tensor | None]:
        raise NotImplementedError

    def largest(self, tensor: Tensor) -> Tensor:
        raise NotImplementedError


@pytest.fixture(scope="module")
def dataset(ethanol: Path) -> Dataset:
    target = {"key": "energy", "unit": "eV", "forces": True}
    return Dataset.from_atoms(ase.io.read(ethanol, ":7"), {"energy": target})


def solver(dataset: Dataset, ranks: Ranks, **hypers: Any) -> Solver:
    architecture = registry.find("experimental.linear_ace").load()
    small = {"max_radial": 3, "max_angular": 1, "features": 12, "prior": None}
    with building(1, torch.float64):
        model = architecture.model({**architecture.default_hypers["model"], **small}, dataset.info)
    trainer = Trainer({"batch_size": 3, **hypers})
    data = TrainingData(model, [dataset], [dataset])
    return Solver(model, data, trainer.options, trainer.ridge.ridge, Run(ranks=ranks))


def equations(dataset: Dataset, ranks: Ranks) -> NormalEquations:
    """With channels that were found on the whole data set."""
    one = solver(dataset, ranks)
    setup = one.setup()
    one.model.look_at(setup.graphs)
    loader = setup.loader(one.options, dataset, shuffle=False)
    return assemble(one.model, loader, setup.judged, [0, 2], lambda done, of: None, ranks)


def test_ranks_that_share_structures_out_have_the_equations_of_one(dataset: Dataset) -> None:
    alone = equations(dataset, SerialRanks())
    values, barrier = [None] * 2, threading.Barrier(2, timeout=60)
    ranks = [ThreadRanks(rank, values, barrier) for rank in range(2)]
    with ThreadPoolExecutor(2) as pool:  # seven structures: the last batch of one rank is empty
        found = list(pool.map(lambda one: equations(dataset, one), ranks))
    for one in found:
        assert one.n_rows == alone.n_rows == 7 * (1 + 9 * 3)
        torch.testing.assert_close(one.matrix, alone.matrix)
        torch.testing.assert_close(one.right, alone.right)
        torch.testing.assert_close(one.squares, alone.squares)


def test_energies_of_elements_that_are_given_stay_what_they_are(dataset: Dataset) -> None:
    given = solver(dataset, SerialRanks(), atomic_baseline={"energy": {"O": -432.0, "6": -1030.0}})
    said = given.solve(Events())
    types = list(given.model.dataset_info.atomic_types)
    values = given.model.composition.values[:, 0]
    assert values[types.index(8)] == -432.0
    assert values[types.index(6)] == -1030.0
    assert said["weights"] == given.model.n_weights + 1  # and the energy of hydrogen

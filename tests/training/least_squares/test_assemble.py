"""The equations of several ranks are those of one, and elements without a given energy are free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import pytest
import torch

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


def test_ranks_that_share_structures_out_have_the_equations_of_one(
    dataset: Dataset, together: Any
) -> None:
    alone = equations(dataset, SerialRanks())
    # seven structures: the last batch of one rank is empty
    found = together(2, lambda ranks: equations(dataset, ranks))
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

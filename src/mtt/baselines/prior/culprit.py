"""Which structure a prior does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mtt.baselines.prior.topology import Molecules
from mtt.errors import DataError

if TYPE_CHECKING:
    from mtt.baselines.prior.model import Prior
    from mtt.data import Dataset


@contextmanager
def naming_the_structure(
    dataset: Dataset, index: Tensor, evaluate: Callable[[int], object]
) -> Iterator[None]:
    """Around the evaluation of a batch: a refusal gets the file and frame that it is about.

    :param index: [n] numbers of its structures in ``dataset``.
    :param evaluate: does for one structure, by its number, what is done for the batch.
    """
    try:
        yield
    except DataError as error:
        if not any(problem.where for problem in error.problems):
            for i in index.tolist():
                _refuse(dataset, i, evaluate)
        raise


def check_molecules(prior: Prior | None, dataset: Dataset) -> None:
    """Whether the prior, if it goes by molecules, knows those of all structures.

    :raises DataError: the first one that it does not know, with file and frame.
    """
    topology = None if prior is None else prior.topology
    if prior is None or not isinstance(topology, Molecules) or not len(topology.n_atoms):
        return
    molecules, lengths = topology, topology.n_atoms.tolist()
    places = torch.full((256,), -1)
    places[prior.atomic_types] = torch.arange(len(prior.atomic_types))
    kinds: set[tuple[int, ...]] = set()
    all_types = places[dataset.types].split(dataset.n_atoms.tolist())
    for i, types in enumerate(all_types):
        kind = tuple(types.tolist())
        if kind not in kinds and -1 not in kind:
            on_device = types.to(molecules.types.device)
            _refuse(dataset, i, lambda _, one=on_device: molecules.molecule(one, lengths))  # type: ignore[misc]
            kinds.add(kind)


def _refuse(dataset: Dataset, i: int, evaluate: Callable[[int], object]) -> None:
    try:
        evaluate(i)
    except DataError as error:
        where = dataset.source(i)
        found = [problem._replace(where=where) for problem in error.problems]
        raise DataError.collect(found) from error

"""What a fitted model predicts of all structures, and groups of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from mtt.data import Dataset
from mtt.scanning.tools.groups import Partition, named
from mtt.scanning.tools.structures import Float, Mask, Structures


@dataclass(frozen=True)
class Fitted:
    """Predictions for every structure of a data set, in its units.

    :param name: of the architecture that was fitted.
    :param energy: [n].
    :param forces: [N, 3].
    :param strain: [n, 3, 3].
    :param seconds: that it took.
    """

    name: str
    energy: Float
    forces: Float
    strain: Float
    seconds: float


class FitTo(Protocol):
    """Fits an energy of that name, and its forces where there are some, to a data set."""

    def __call__(self, dataset: Dataset, name: str, forces_alone: bool = False) -> Fitted:
        """:param forces_alone: leave energies out: what is predicted of them is what forces say."""


class Group(NamedTuple):
    """Structures that are judged together.

    :param said: their key in words; empty where all of a file is meant.
    """

    structures: Mask  # [n]
    said: str


def groups_of(
    structures: Structures, labelled: Mask, partitions: Sequence[Partition]
) -> Iterator[Group]:
    """Each file, by the key of words that names groups best, where there is one."""
    naming = next((one for one in partitions if one.is_text), None)
    for file in np.unique(structures.file[labelled]):
        mine = labelled & (structures.file == file)
        values = [] if naming is None else np.unique(naming.of[mine]).tolist()
        if naming is None or len(values) < 2:
            yield Group(mine, "")
            continue
        for value in values:
            inside = mine & naming.group(value)
            yield Group(inside, named(naming, [value], [int(inside.sum())]))


def slope_of(labels: Float, predicted: Float) -> tuple[float, float]:
    """Predictions by labels through the origin, and R² of the line."""
    size = float(labels @ labels) * float(predicted @ predicted)
    if not size > 0:
        return 0.0, 0.0
    product = float(labels @ predicted)
    slope = np.sign(product) * np.sqrt(float(predicted @ predicted) / float(labels @ labels))
    return float(slope), product**2 / size

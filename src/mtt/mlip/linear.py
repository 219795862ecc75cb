"""The base class of models whose predictions are linear in their weights."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor

from mtt.graph import Graph
from mtt.mlip.model import MLIPModel


class Columns(NamedTuple):
    """What the numbers of a network are for each weight alone: they are linear in the weights.

    Derivatives are with respect to the energy of the whole structure, with the signs of
    :class:`mtt.Target`.
    """

    values: Tensor  # [n_systems, n_weights] float64
    forces: Tensor | None  # [n_atoms, 3, n_weights] float64
    strain: Tensor | None  # [n_systems, 3, 3, n_weights] float64, symmetric


class LinearMLIPModel(MLIPModel):
    """A model of one energy that is linear in its weights.

    :class:`mtt.LeastSquaresTrainer` solves it. An author writes ``predict`` as for every
    :class:`mtt.MLIPModel`, and the three methods below.
    """

    __jit_unused_properties__: ClassVar[list[str]] = [
        *MLIPModel.__jit_unused_properties__,
        "n_weights",
    ]

    @property
    @abstractmethod
    def n_weights(self) -> int:
        """How many weights there are."""

    @abstractmethod
    def columns(self, graph: Graph, *, forces: bool, strain: bool) -> Columns:
        """What the network gives for each weight alone.

        :param forces: the forces too; ``strain`` likewise.
        """

    @abstractmethod
    def set_weights(self, weights: Tensor) -> None:
        """Take ``weights`` [n_weights] float64, in the order of the columns."""

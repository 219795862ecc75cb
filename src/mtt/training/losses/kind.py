"""What a loss is made of: of single components, or of whole spectra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from mtt.discovery import LOSSES


class LossKind:
    """A loss as options name it."""


@dataclass(frozen=True)
class ElementwiseLoss(LossKind):
    """A loss that is computed component by component.

    :param function: of the difference and δ; same shape and dtype as the difference, 0 where that
        is 0, with a gradient everywhere.
    :param has_delta: whether it depends on δ, the option ``delta``.
    :param only_forces: whether it is for forces alone.
    :param delta_factors: of the labels [n_atoms, 3] and their unit in eV/Å: factors of δ,
        [n_atoms, 1]. Forces without units are then refused.
    :param aliases: other names that options may have, such as metatrain's.
    """

    function: Callable[[Tensor, float | Tensor], Tensor]
    has_delta: bool = False
    only_forces: bool = False
    delta_factors: Callable[[Tensor, float], Tensor] | None = None
    aliases: tuple[str, ...] = ()

    def __call__(
        self, difference: Tensor, delta: float, labels: Tensor, to_ev_per_angstrom: float
    ) -> Tensor:
        """The loss of every component.

        :param difference: of prediction and label, in scales; 0 where there is no label.
        :param labels: in their own unit, NaN where there is none.
        """
        if self.delta_factors is None:
            return self.function(difference, delta)
        return self.function(difference, delta * self.delta_factors(labels, to_ev_per_angstrom))


@dataclass(frozen=True)
class SpectrumLoss(LossKind):
    """A loss of whole spectra: scalars with a property for each point of a grid.

    :param function: of predictions and labels [n, points] float64, NaN where there is no label,
        and of the parameters; the loss [n] of each spectrum. Both are divided by the scale.
    :param only_spectra: True, for what reads the source and does not run it.
    :param parameters: numbers that options may set beside the type, none of them negative, and
        what they are otherwise. One whose name ends in ``_step`` is not zero.
    :param aliases: other names that options may have.
    """

    function: Callable[[Tensor, Tensor, Mapping[str, float]], Tensor]
    only_spectra: bool = True
    parameters: Mapping[str, float] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    has_delta: ClassVar[bool] = False
    only_forces: ClassVar[bool] = False
    delta_factors: ClassVar[None] = None


def load_loss(name: str) -> ElementwiseLoss | SpectrumLoss:
    """The loss of that name.

    :raises ConfigError: there is none, or it cannot be loaded.
    """
    found = LOSSES.load(name, LossKind)
    assert isinstance(found, ElementwiseLoss | SpectrumLoss)
    return found

"""What a loss of single components is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from mtt.discovery import LOSSES


@dataclass(frozen=True)
class ElementwiseLoss:
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


def load_loss(name: str) -> ElementwiseLoss:
    """The loss of that name.

    :raises ConfigError: there is none, or it cannot be loaded.
    """
    return LOSSES.load(name, ElementwiseLoss)

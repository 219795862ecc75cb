"""Averaged weights: those that are validated, kept as best, and exported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from torch.optim import Optimizer

from mtt.training.options.named_options import Option

if TYPE_CHECKING:
    from mtt.mlip import MLIPModel


class Average(Protocol):
    """A separate copy of the model with other weights than those in training."""

    @property
    def model(self) -> Any:
        """The copy, as of now."""

    def update(self) -> None:
        """An optimizer step was taken."""

    def finish(self) -> None:
        """The stage is over: the model in training takes the weights that it ends with."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain types."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from :meth:`state_dict`."""


@dataclass(frozen=True)
class AverageKind:
    """One average by name.

    :param make: makes it, of the model in training, its optimizer and the options.
    :param options: what a user may set beside the name in ``ema``.
    :param of_optimizer: whether it belongs to optimizers that average the weights themselves,
        and is taken with those alone.
    """

    make: Callable[[MLIPModel, Optimizer, Mapping[str, Any]], Average]
    options: Mapping[str, Option] = field(default_factory=dict)
    of_optimizer: bool = False

"""The average that the options, or the optimizer, ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim import Optimizer

from mtt.discovery import AVERAGES
from mtt.errors import ConfigError
from mtt.options.training import SECTION, EmaOptions, NamedChoice
from mtt.training.averaging.kind import Average, AverageKind
from mtt.training.optimizers import averages
from mtt.training.options.named_options import check_options

if TYPE_CHECKING:
    from mtt.mlip import MLIPModel

WHERE = f"{SECTION}.ema"
"""The option, for messages."""


def make_average(
    model: MLIPModel, optimizer: Optimizer, asked: EmaOptions | NamedChoice | None
) -> Average | None:
    """The average of the weights; None where there is none.

    :param asked: the option ``ema``.
    :raises ConfigError: an unknown average or option, or a value that makes no sense.
    """
    if averages(optimizer):
        return AVERAGES.load("schedule_free", AverageKind).make(model, optimizer, {})
    if asked is None:
        return None
    if isinstance(asked, EmaOptions):
        asked = NamedChoice("ema", {"decay": asked.decay})
    name, given = asked.name, asked.options
    kind = AVERAGES.load(name, AverageKind, WHERE)
    if kind.of_optimizer:
        what = f"{name} belongs to optimizers that average the weights themselves"
        raise ConfigError(what, where=WHERE, hint="take such an optimizer, and leave ema out")
    check_options(given, kind.options, WHERE)
    defaults = {key: option.default for key, option in kind.options.items()}
    return kind.make(model, optimizer, {**defaults, **given})

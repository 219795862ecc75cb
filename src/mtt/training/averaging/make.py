"""The average that the options, or the optimizer, ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from mtt.discovery import AVERAGES
from mtt.errors import ConfigError
from mtt.training.averaging.kind import Average, AverageKind
from mtt.training.optimizers import averages
from mtt.training.options.defaults import SECTION
from mtt.training.options.named_options import check_options

if TYPE_CHECKING:
    from mtt.mlip import MLIPModel

WHERE = f"{SECTION}.ema"
"""The option, for messages."""

DEFAULT = "ema"


def make_average(
    model: MLIPModel, optimizer: Optimizer, asked: bool | Mapping[str, Any]
) -> Average | None:
    """The average of the weights; None where there is none.

    :param asked: the option ``ema``: ``true``, ``{decay: 0.999}``, or a mapping with the ``name``
        of another average and its options.
    :raises ConfigError: an unknown average or option, or a value that makes no sense.
    """
    if averages(optimizer):
        return AVERAGES.load("schedule_free", AverageKind).make(model, optimizer, {})
    if asked is False:
        return None
    given = {} if asked is True else dict(asked)
    name = given.pop("name", DEFAULT)
    kind = AVERAGES.load(name, AverageKind, WHERE)
    if kind.of_optimizer:
        what = f"{name} belongs to optimizers that average the weights themselves"
        raise ConfigError(what, where=WHERE, hint="take such an optimizer, and leave ema out")
    check_options(given, kind.options, WHERE)
    defaults = {key: option.default for key, option in kind.options.items()}
    return kind.make(model, optimizer, defaults | given)

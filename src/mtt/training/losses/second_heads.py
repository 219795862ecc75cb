"""The loss of the second heads of a replay: that of the new labels, times one weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mtt.data.info import DatasetInfo
from mtt.options.training import LossOptions
from mtt.options.training.loss import LossSection
from mtt.training.losses.from_options import uniform_loss


def with_second_heads(
    options: LossSection, info: DatasetInfo, partners: Mapping[str, str], weight: float
) -> LossSection:
    """``options`` with a loss for every second head: its partner's, all weights times ``weight``.

    Rows of new labels and of replayed ones never share a target, and terms are reduced one by one:
    the loss is L(new) + weight · L(replayed), each over its own labels.

    :param info: targets of the model, second heads among them.
    :param partners: second head to the target of the data whose loss it has.
    """
    if not partners:
        return options
    given = options.loss
    if isinstance(given, str):
        given = {name: uniform_loss(given, target) for name, target in info.targets.items()}
    added = {
        head: _scaled(given[partner], weight, info.targets[head].gradients)
        for head, partner in partners.items()
        if partner in given  # else the loss is refused: its target has none
    }
    whole = options.per_structure_targets
    kept = (*whole, *(head for head, partner in partners.items() if partner in whole))
    return replace(options, loss={**given, **added}, per_structure_targets=kept)


def _scaled(one: LossOptions, weight: float, gradients: tuple[str, ...] = ()) -> LossOptions:
    inner = {
        name: _scaled(section, weight)
        for name, section in one.gradients.items()
        if name in gradients
    }
    return replace(one, weight=_times(one.weight, weight), gradients=inner)


def _times(weight: float | Mapping[Any, Any], factor: float) -> float | dict[Any, Any]:
    if not isinstance(weight, Mapping):
        return weight * factor
    # `interpolation` is a word among the numbers by epoch
    return {k: v if isinstance(v, str) else v * factor for k, v in weight.items()}

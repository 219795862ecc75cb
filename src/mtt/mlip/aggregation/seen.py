"""What a network is built for: more numbers than a target has, or fewer.

A network of a target with learned weights gives one number more for each atom, the logarithm of its
weight; one of a spectrum gives the ``rank`` numbers that a linear map makes the spectrum of. No
architecture has to know: the class of a model passes the constructor a description of the data
whose targets count the numbers that the network gives, and :class:`mtt.MLIPModel` takes it back.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mtt.data.info import DatasetInfo, TargetInfo


@dataclass(frozen=True)
class NetworkTarget(TargetInfo):
    """A target as its network sees it.

    :param labels: the target as the data have it.
    """

    labels: TargetInfo | None = None


def network_info(info: DatasetInfo) -> DatasetInfo:
    """``info`` with targets of as many properties as the network gives numbers for an atom."""
    return info.with_targets({name: _seen(target) for name, target in info.targets.items()})


def labels_info(info: DatasetInfo) -> DatasetInfo:
    """The ``info`` that :func:`network_info` was given."""
    return info.with_targets(
        {
            name: target.labels if isinstance(target, NetworkTarget) and target.labels else target
            for name, target in info.targets.items()
        }
    )


def _seen(target: TargetInfo) -> TargetInfo:
    learned = target.pooling == "learned"
    if isinstance(target, NetworkTarget) or not (learned or target.rank):
        return target
    numbers = (target.rank or target.properties) + learned
    return NetworkTarget(**{**vars(replace(target, properties=numbers)), "labels": target})


class BuiltForNetwork(ABCMeta):
    """The class of model classes: ``Model(hypers, info)`` builds it for :func:`network_info`."""

    def __call__(cls, hypers: Any, dataset_info: DatasetInfo, *rest: Any, **more: Any) -> Any:
        build: Callable[..., Any] = super().__call__
        return build(hypers, network_info(dataset_info), *rest, **more)

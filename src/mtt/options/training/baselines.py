"""Baselines and scales: what is not left to the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtt.options.training.option import option
from mtt.options.training.sections import read_section


@dataclass(frozen=True)
class BaselineOptions:
    """What is computed from the training set alone, and what is given.

    Where a path was given, :func:`mtt.workflows.run.given.with_numbers` puts the numbers in its
    place before a model sees it.
    """

    atomic_baseline: Mapping[str, Any] | str = option(
        dict,
        "Energies of the elements, by symbol or atomic number, in the unit of the target: "
        "{energy: {H: -13.6, O: -432.1}}. Those of elements that are left out are fitted by least "
        "squares to the residual of the given ones. Or the path of a checkpoint whose baselines "
        "are used.",
        acts="before the first step",
    )
    scale_targets: bool = option(
        True,
        "Scale the network's output to the size of the labels in the training set.",
        acts="before the first step",
    )
    fixed_scaling_weights: Mapping[str, Any] | str = option(
        dict,
        "Scale of each target in its unit, instead of that of the training set: {energy: 1.2}. Or "
        "the path of a checkpoint whose scales are used.",
        acts="before the first step",
    )
    refit_baseline: bool = option(
        True,
        "After the last epoch, refit the baselines by least squares to the residual of the best "
        "weights on the training set, unless the validation gets worse. Numbers in "
        "atomic_baseline are never changed.",
        acts="any time",
    )

    @property
    def given_baselines(self) -> Mapping[str, Any]:
        """``atomic_baseline`` in numbers."""
        assert isinstance(self.atomic_baseline, Mapping), "a path is replaced before"
        return self.atomic_baseline

    @property
    def given_scales(self) -> Mapping[str, Any]:
        """``fixed_scaling_weights`` in numbers."""
        assert isinstance(self.fixed_scaling_weights, Mapping), "a path is replaced before"
        return self.fixed_scaling_weights

    @classmethod
    def of(cls, training: BaselinesAsked) -> BaselineOptions:
        """The three options among others; what is missing, or null, has its default."""
        if isinstance(training, BaselineOptions):
            return training
        given = {key: value for key, value in training.items() if value is not None}
        return read_section(BaselineOptions, given)


BaselinesAsked = BaselineOptions | Mapping[str, Any]
"""The options, or a mapping of training options that holds them."""

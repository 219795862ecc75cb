"""The options of a trainer that solves: a few of the platform's, and the ridge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtt.options.schema.validate import validate
from mtt.options.training.option import Form, option
from mtt.options.training.parse import PATH, refuse
from mtt.options.training.schema import section_schema
from mtt.options.training.sections import read_section
from mtt.options.training.whole import TrainingOptions
from mtt.training.least_squares.ridge import CRITERIA, Criterion

SHARED = (
    "batch_size",
    "max_atoms_per_batch",
    "loss",
    "per_structure_targets",
    "atomic_baseline",
    "scale_targets",
    "fixed_scaling_weights",
    "best_model_metric",
    "extended_metrics",
    "log_mae",
)
"""Options of the platform that such a trainer has; the others are about steps."""

_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_RIDGE = Form(
    lambda: {"anyOf": [{"enum": list(CRITERIA)}, _POSITIVE]},
    lambda value: value,
    lambda value: value,
)


@dataclass(frozen=True)
class RidgeOptions:
    """How strongly the weights are penalised."""

    ridge: float | Criterion = option(
        "evidence",
        "Penalty on the squares of the weights: a number, in units of the mean of the matrix's "
        "diagonal, or how the data choose it: by evidence, or by generalised cross-validation.",
        acts="from here",
        form=_RIDGE,
    )

    @classmethod
    def parse(cls, hypers: Mapping[str, Any]) -> RidgeOptions:
        """From the options of a training; those of the platform are left out.

        :raises ConfigError: neither a positive number nor a criterion.
        """
        given = {key: value for key, value in hypers.items() if key == "ridge"}
        refuse(validate(given, section_schema(cls), PATH))
        return read_section(cls, given)


def default_hypers() -> dict[str, Any]:
    """A fresh copy of the defaults: those of the platform, but for the size of a batch."""
    platform = TrainingOptions(batch_size=16).to_hypers()
    return {"ridge": RidgeOptions().ridge, **{key: platform[key] for key in SHARED}}

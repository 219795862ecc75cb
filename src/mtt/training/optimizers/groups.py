"""Which parameters decay, at which learning rate."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from mtt.errors import ConfigError, Problem
from mtt.mlip.trainable.parameter_names import check_patterns, matches
from mtt.training.options.defaults import SECTION

FACTORS = f"{SECTION}.learning_rate_factors"

NEVER_DECAY = ("prior.*",)
"""Names of parameters with a physical meaning, which must not decay to zero."""

_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_NORM = re.compile(r"norm(?!al)", re.IGNORECASE)
_BIAS = re.compile(r"(^|_)bias(es)?($|_)")


@dataclass(frozen=True)
class Trainable:
    """A parameter that requires a gradient.

    :param decays: whether weight decay acts on it.
    :param is_matrix: whether it is a 2-D weight between layers, which Muon can take.
    """

    name: str
    parameter: nn.Parameter
    decays: bool
    is_matrix: bool


def trainables(model: nn.Module) -> list[Trainable]:
    """The parameters of ``model`` that require a gradient, in its order.

    No decay acts on biases, on parameters of normalisations, on those of a prior, and on what
    the model names in ``__no_weight_decay__`` (``*`` for any text). Names and modules decide,
    not dimensions: weights of equivariant layers are often flat.
    """
    patterns: Sequence[str] = (*NEVER_DECAY, *getattr(model, "__no_weight_decay__", ()))
    found = []
    for name, parameter, owner in _owned(model):
        path, _, leaf = name.rpartition(".")
        spared = (
            _BIAS.search(leaf) is not None
            or _is_norm(owner, path)
            or any(matches(name, pattern) for pattern in patterns)
        )
        matrix = parameter.ndim == 2 and min(parameter.shape) > 1
        is_matrix = matrix and not spared and not isinstance(owner, nn.Embedding)
        found.append(Trainable(name, parameter, not spared, is_matrix))
    return found


def make_groups(
    found: Sequence[Trainable],
    *,
    rate: float,
    decay: float,
    lr_factors: Mapping[str, float],
    by_matrix: bool,
    by_depth: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """One group for all parameters with the same options; every group has parameters.

    :param rate: learning rate, of which ``lr_factor`` of the group is a multiple.
    :param lr_factors: factor by pattern of names; the first that fits counts.
    :param by_matrix: whether matrices have separate groups.
    :param by_depth: a further factor by name; None: 1 for all.
    :return: ``params`` (with names), ``lr``, ``lr_factor``, ``decay``, and ``matrices``.
    """
    groups: dict[tuple[float, float, bool], list[tuple[str, nn.Parameter]]] = {}
    for one in found:
        fits = (f for pattern, f in lr_factors.items() if matches(one.name, pattern))
        key = (
            next(fits, 1.0) * (by_depth or {}).get(one.name, 1.0),
            decay if one.decays else 0.0,
            by_matrix and one.is_matrix,
        )
        groups.setdefault(key, []).append((one.name, one.parameter))
    return [
        {
            "params": members,
            "lr": rate * factor,
            "lr_factor": factor,
            "decay": decay,
            "matrices": matrices,
        }
        for (factor, decay, matrices), members in groups.items()
    ]


def check_factors(
    model: nn.Module, found: Sequence[Trainable], lr_factors: Mapping[str, float]
) -> None:
    """Whether every pattern fits a parameter that is trained.

    :raises ConfigError: one problem for each that does not.
    """
    check_patterns(model, lr_factors, FACTORS)
    problems = [
        Problem(f"every parameter called {pattern!r} is frozen", FACTORS, "leave it out")
        for pattern in lr_factors
        if not any(matches(one.name, pattern) for one in found)
    ]
    if problems:
        raise ConfigError.collect(problems)


def _owned(model: nn.Module) -> Iterator[tuple[str, nn.Parameter, nn.Module]]:
    """Name, parameter and the module that holds it; shared ones once, frozen ones never."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            yield name, parameter, model.get_submodule(name.rpartition(".")[0])


def _is_norm(owner: nn.Module, path: str) -> bool:
    """Whether a module is a normalisation: by its type, or else by the name it has."""
    if isinstance(owner, _NORMS) or _NORM.search(type(owner).__name__):
        return True
    names = [name for name in path.split(".") if not name.isdigit()]  # norms.0 is one of norms
    return bool(names) and _NORM.search(names[-1]) is not None

"""The optimizer that the options ask for."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.optim import LBFGS, Optimizer

from mtt.discovery import OPTIMIZERS
from mtt.errors import ConfigError, TrainingError
from mtt.mlip import MLIPModel
from mtt.mlip.aggregation.heads import heads_of
from mtt.mlip.trainable.depth import factors as depth_factors
from mtt.options.training import NamedChoice, TrainingOptions
from mtt.training.optimizers.groups import (
    FACTORS,
    Trainable,
    check_factors,
    make_groups,
    trainables,
)
from mtt.training.optimizers.kind import ELSEWHERE, WHERE, OptimizerKind
from mtt.training.options.defaults import SECTION
from mtt.training.options.named_options import check_options


def make_optimizer(model: nn.Module, options: TrainingOptions) -> Optimizer:
    """The optimizer over all parameters of ``model`` that require a gradient.

    Without a name it is Adam, or AdamW where ``weight_decay`` is given. Every group of
    parameters holds, in addition to the optimizer's own options:

    - ``lr_factor``: the step sets ``lr`` to this times the learning rate of the schedule;
    - ``l2``: the step adds this times the weights to the gradient before it clips it;
    - ``optimizer``, ``param_names`` and ``shapes``, by which :func:`restore_optimizer` knows
      whose state it has.

    :param options: of them ``optimizer``, ``learning_rate``, ``learning_rate_factors`` (by pattern
        of parameters' names; the first that fits counts) and ``weight_decay``.
    :raises ConfigError: an unknown optimizer or option, a value that makes no sense, a pattern
        of no parameter that is trained, or an extra that is not installed.
    :raises TrainingError: the model has nothing to train.
    """
    decay, factors = options.weight_decay, options.learning_rate_factors
    chosen = options.optimizer or NamedChoice("adam" if decay is None else "adamw")
    name, given = chosen.name, chosen.options
    kind = OPTIMIZERS.load(name, OptimizerKind, WHERE)
    cls = kind.optimizer_class(name)
    check_options(given, kind.options(cls), WHERE, ELSEWHERE)
    found = trainables(model)
    if not found:
        raise TrainingError(f"{type(model).__name__} has no parameters to train")
    _check_fit(name, kind, decay, found)
    if factors:
        if not kind.rates:
            raise ConfigError(f"{name} has one learning rate for all parameters", where=FACTORS)
        check_factors(model, found, factors)
    by_depth = _by_depth(model, options, name, kind)
    groups = make_groups(
        found,
        rate=options.learning_rate,
        decay=(decay or 0.0) if kind.decay else 0.0,
        lr_factors=factors,
        by_matrix=kind.by_matrix,
        by_depth=by_depth,
    )
    arguments = {**kind.defaults, **given, **kind.fixed}
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    if "fused" in inspect.signature(cls).parameters:
        arguments["fused"] = _can_fuse(found)
    return _build(name, kind, cls, groups, arguments)


def needs_closure(optimizer: Optimizer) -> bool:
    """Whether a step evaluates the loss several times, by a closure."""
    return isinstance(optimizer, LBFGS)


def averages(optimizer: Optimizer) -> bool:
    """Whether the weights to use are an average that ``optimizer.eval()`` puts in place.

    ``optimizer.train()`` takes them back for the next step.
    """
    return callable(getattr(optimizer, "train", None))


def _check_fit(
    name: str, kind: OptimizerKind, decay: float | None, found: Sequence[Trainable]
) -> None:
    """Refuse an optimizer that does not fit this model or these options."""
    if decay and not kind.decay:
        raise ConfigError(
            f"{name} has no weight decay", where=f"{SECTION}.weight_decay", hint="leave it out"
        )
    if kind.by_matrix and not any(one.is_matrix for one in found):
        raise ConfigError(
            f"{name} is for matrices between layers, and the model has none", where=WHERE
        )


def _by_depth(
    model: nn.Module, options: TrainingOptions, name: str, kind: OptimizerKind
) -> dict[str, float] | None:
    """Factors of a fine-tuning's ``depth_decay``; None where all layers learn at one rate."""
    finetune = options.finetune
    if finetune.read_from is None or finetune.depth_decay == 1.0:
        return None
    if not kind.rates:
        where = f"{SECTION}.finetune.depth_decay"
        raise ConfigError(f"{name} has one learning rate for all parameters", where=where)
    heads = heads_of(model) if isinstance(model, MLIPModel) else {}
    return depth_factors(model, heads, finetune.depth_decay)


def _can_fuse(found: Sequence[Trainable]) -> bool:
    """Whether one kernel can do all parameters: 3 to 5 times faster than the default on the CPU."""
    parameters = [one.parameter for one in found]
    return all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)


def _build(
    name: str,
    kind: OptimizerKind,
    cls: type[Optimizer],
    groups: list[dict[str, Any]],
    arguments: dict[str, Any],
) -> Optimizer:
    extras = []
    for group in groups:
        decay, matrices = group.pop("decay"), group.pop("matrices")
        if kind.decay == "argument":
            group["weight_decay"] = decay
        if kind.by_matrix:
            group["matrices"] = matrices
        factor = group.pop("lr_factor")
        l2 = decay if kind.decay == "gradient" else 0.0
        shapes = [list(p.shape) for _, p in group["params"]]
        extras.append({"lr_factor": factor, "l2": l2, "optimizer": name, "shapes": shapes})
    if kind.by_matrix:  # in the order that it keeps its groups in
        order = sorted(range(len(groups)), key=lambda i: not groups[i]["matrices"])
        groups, extras = [groups[i] for i in order], [extras[i] for i in order]
    if not kind.grouped:
        arguments["lr"] = groups[0].pop("lr")
    try:
        optimizer = cls(groups, **arguments)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ConfigError(f"{name}: {error}", where=WHERE) from error
    for group, extra in zip(optimizer.param_groups, extras, strict=True):
        group.update(extra)
    return optimizer

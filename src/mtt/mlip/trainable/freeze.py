"""Which weights a fine-tuning trains; the others are frozen by ``requires_grad``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from mtt.errors import ConfigError
from mtt.mlip.trainable.lora import add_adapters, linear_layers
from mtt.mlip.trainable.parameter_names import first_parts, select
from mtt.options.training.finetune import (
    SECTION,
    FinetuneOptions,
    FreezeConfig,
    HeadsConfig,
    LoraConfig,
)

FROZEN = f"{SECTION}.config.freeze"


def choose_trainable(
    model: nn.Module,
    finetune: FinetuneOptions,
    fresh: Sequence[str],
    heads: Mapping[str, Sequence[str]],
) -> dict[str, Any] | None:
    """Freeze what the method does not train, and add what it trains instead.

    :param fresh: parameters that hold random numbers: heads of new targets. The low-rank
        method trains them in full.
    :param heads: target to the names of its modules, see ``MLIPModel.head_modules``.
    :return: what was done, in plain types, for :func:`restore_finetuning`; None where all trains.
    :raises ConfigError: a pattern that matches nothing; nothing would be left to train.
    """
    method, config = finetune.method, finetune.config
    record: dict[str, Any] = {"method": method, "layers": [], "rank": None, "alpha": None}
    names = [name for name, _ in model.named_parameters()]
    trained = set(names)
    if isinstance(config, HeadsConfig):
        trained = set(_heads(model, config, names, heads))
    elif isinstance(config, FreezeConfig):
        trained -= set(select(names, config.freeze, FROZEN, "parameters"))
    elif isinstance(config, LoraConfig):
        layers = _layers(model, config, fresh)
        corrections = add_adapters(model, layers, config.rank, config.alpha)
        added = {id(parameter) for parameter in corrections}
        record.update(layers=layers, rank=config.rank, alpha=config.alpha)
        trained = {n for n, p in model.named_parameters() if id(p) in added} | set(fresh)
    frozen = [name for name, _ in model.named_parameters() if name not in trained]
    for name in frozen:
        model.get_parameter(name).requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(
            "nothing is left to train",
            where=FROZEN if method == "freeze" else f"{SECTION}.method",
            hint=f"the model has {', '.join(first_parts(names))}",
        )
    return {**record, "frozen": frozen} if frozen else None


def noted(
    record: dict[str, Any] | None,
    finetune: FinetuneOptions,
    fresh: Sequence[str],
    more: Mapping[str, Any],
) -> dict[str, Any] | None:
    """``record`` with what the engine needs of the start; None where there is nothing to say.

    :param fresh: parameters that do not come from the source; an anchor leaves them alone.
    :param more: further entries.
    """
    extra = {**more, **({"fresh": list(fresh)} if finetune.anchor and fresh else {})}
    nothing: dict[str, Any] = {"layers": [], "rank": None, "alpha": None, "frozen": []}
    return {"method": finetune.method, **(record or nothing), **extra} if extra else record


def restore_finetuning(model: nn.Module, record: Mapping[str, Any]) -> None:
    """Do to a new model what :func:`choose_trainable` has done, but for the weights."""
    add_adapters(model, record["layers"], record["rank"], record["alpha"])
    for name in record["frozen"]:
        model.get_parameter(name).requires_grad_(False)


def _heads(
    model: nn.Module,
    config: HeadsConfig,
    names: Sequence[str],
    heads: Mapping[str, Sequence[str]],
) -> list[str]:
    given = [*config.head_modules, *config.last_layer_modules]
    if given:
        return select(names, given, f"{SECTION}.config", "parameters")
    modules = [module for of_target in heads.values() for module in of_target]
    if not modules:
        raise ConfigError(
            f"{type(model).__name__} does not say which of its weights are heads",
            where=f"{SECTION}.method",
            hint="name them in config: {head_modules: [...]}; "
            f"it has {', '.join(first_parts(names))}",
        )
    return [name for name in names if any(is_within(name, module) for module in modules)]


def _layers(model: nn.Module, config: LoraConfig, fresh: Sequence[str]) -> list[str]:
    layers = [name for name in linear_layers(model) if f"{name}.weight" not in fresh]
    where = f"{SECTION}.config.target_modules"
    if not layers:
        raise ConfigError(
            f"{type(model).__name__} has no linear layers to correct",
            where=f"{SECTION}.method",
            hint="use method full, heads or freeze",
        )
    patterns = config.target_modules
    return layers if patterns is None else select(layers, patterns, where, "linear layers")


def is_within(name: str, module: str) -> bool:
    """Whether the parameter ``name`` is ``module``, or belongs to it."""
    return name == module or name.startswith(f"{module}.")

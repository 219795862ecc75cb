"""How far parameters are below the heads, in layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from mtt.mlip.trainable.parameter_names import matches

LAYERS = "__layers__"
"""Attribute of a model class: patterns of parameters' names, from the input to the heads. Without
it the order in which a model makes its parameters counts."""


def depths(model: nn.Module, heads: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Depth of every parameter by name: 0 in the heads, 1 in the layer below them, and so on.

    Where the class does not say (:data:`LAYERS`), a layer is a module of the model itself, or one
    entry of a list of modules; entries with the same number in neighbouring lists of the same
    length are one layer.

    :param heads: target to the names of its modules, see ``MLIPModel.head_modules``.
    """
    names = [name for name, _ in model.named_parameters()]
    tops = [module for of_target in heads.values() for module in of_target]
    in_heads = {n for n in names if any(n == top or n.startswith(f"{top}.") for top in tops)}
    below = [name for name in names if name not in in_heads]
    patterns: Sequence[str] = getattr(type(model), LAYERS, ())
    order = _by_pattern(below, patterns) if patterns else _by_order(model, below)
    last = max(order.values(), default=0)
    return {name: 0 if name in in_heads else last - order[name] + 1 for name in names}


def factors(model: nn.Module, heads: Mapping[str, Sequence[str]], decay: float) -> dict[str, float]:
    """Factor of the learning rate of every parameter: ``decay`` to the power of its depth.

    (Layer-wise decay: Howard and Ruder, arXiv:1801.06146.)
    """
    return {name: decay**depth for name, depth in depths(model, heads).items()}


def _by_pattern(names: Sequence[str], patterns: Sequence[str]) -> dict[str, int]:
    """Number of the first pattern that fits; what none names is with the first layer."""
    return {
        name: next((i for i, one in enumerate(patterns) if matches(name, one)), 0) for name in names
    }


def _by_order(model: nn.Module, names: Sequence[str]) -> dict[str, int]:
    """Number of the layer, from the first parameter that the model makes."""
    blocks: list[list[str]] = []  # names of modules that are passed one after the other
    lengths: list[int] = []  # entries, of a list of modules; 0 of other modules
    for top in dict.fromkeys(name.split(".")[0] for name in names):
        module = getattr(model, top)
        length = len(module) if isinstance(module, nn.ModuleList) else 0
        if length and lengths and lengths[-1] == length:
            blocks[-1].append(top)
        else:
            blocks.append([top])
            lengths.append(length)
    starts, first = {}, 0
    for block, length in zip(blocks, lengths, strict=True):
        starts.update(dict.fromkeys(block, first))
        first += max(length, 1)
    return {name: starts[name.split(".")[0]] + _entry(model, name) for name in names}


def _entry(model: nn.Module, name: str) -> int:
    top, *rest = name.split(".")
    return int(rest[0]) if isinstance(getattr(model, top), nn.ModuleList) else 0

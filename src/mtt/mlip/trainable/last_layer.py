"""The last layer of a head, which the numbers of a network are linear in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from mtt.mlip.trainable.freeze import is_within


def last_matrices(
    model: nn.Module, heads: Mapping[str, Sequence[str]], target: str, width: int
) -> dict[str, nn.Parameter]:
    """Matrices of a head, by name, that end in as many numbers as the target has.

    :param heads: target to the names of its modules, see ``MLIPModel.head_modules``.
    :param width: numbers of a sample of the target.
    """
    return {
        name: parameter
        for name, parameter in in_head(model, heads, target).items()
        if parameter.dim() >= 2 and parameter.shape[-2] == width
    }


def last_layer(
    model: nn.Module, heads: Mapping[str, Sequence[str]], target: str, width: int
) -> dict[str, nn.Parameter]:
    """Those matrices and the biases of the same modules."""
    matrices = last_matrices(model, heads, target, width)
    modules = {name.rpartition(".")[0] for name in matrices}
    return {
        name: parameter
        for name, parameter in in_head(model, heads, target).items()
        if name.rpartition(".")[0] in modules
    }


def in_head(
    model: nn.Module, heads: Mapping[str, Sequence[str]], target: str
) -> dict[str, nn.Parameter]:
    """All parameters of a head by name; none where the model does not say."""
    modules = heads.get(target, ())
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if any(is_within(name, module) for module in modules)
    }

"""Weights of a trained model for a new one, which may have other targets and more elements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from mtt.errors import ArchitectureError, Problem
from mtt.mlip.aggregation.heads import heads_of
from mtt.mlip.finetune.new_inputs import of_input
from mtt.mlip.model import MLIPModel
from mtt.mlip.support import symbols
from mtt.mlip.trainable.freeze import is_within

# tables that belong to targets and elements, not to the network; see mtt.mlip.finetune.fine_tune
TABLES = ("composition", "scale", "zbl", "prior")


@dataclass
class Transfer:
    """Origin of the tensors of the new model.

    :param copied: names of tensors that are the source's.
    :param fresh: names of tensors that are as they were made.
    :param extended: names of tensors that hold the source's, and more for new elements.
    """

    copied: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    extended: list[str] = field(default_factory=list)


def places_of(source: MLIPModel, model: MLIPModel) -> list[int]:
    """Indices of the elements of ``source`` among those of ``model``."""
    own = [int(z) for z in model.dataset_info.atomic_types]
    return [own.index(int(z)) for z in source.dataset_info.atomic_types]


@torch.no_grad()
def transfer(source: MLIPModel, model: MLIPModel, counterparts: Mapping[str, str]) -> Transfer:
    """Copy the network's weights by name; ``source`` is not changed.

    :param counterparts: target of ``model`` to the target of ``source`` whose head it gets;
        heads of other targets stay fresh.
    :raises ArchitectureError: weights without a counterpart, or of another shape; new
        elements, and the architecture does not say how to learn them.
    """
    places = places_of(source, model)
    grows = len(places) < len(model.dataset_info.atomic_types)
    if grows:
        _check_grows(source, model)
    _check_heads(source, model, counterparts)
    known, own = source.state_dict(), model.state_dict()
    done, problems = Transfer(), []
    for name, tensor in own.items():
        if name.split(".")[0] in TABLES:
            continue
        origin = _origin(name, source, model, counterparts)
        if origin is None:
            done.fresh.append(name)
            continue
        if origin not in known:
            problems.append(Problem(f"the source has no {origin} for {name}"))
            continue
        value = known[origin]
        if grows and value.shape != tensor.shape:
            value = model.extend_elements(name, value, places)
            done.extended.append(name)
        else:
            done.copied.append(name)
        if value.shape != tensor.shape:
            shapes = f"{list(tensor.shape)}, in the source {list(value.shape)}"
            problems.append(Problem(f"{name} has the shape {shapes}"))
        else:
            tensor.copy_(value)
    if problems:
        raise ArchitectureError.collect(problems)
    return done


def _check_grows(source: MLIPModel, model: MLIPModel) -> None:
    if type(model).extend_elements is not MLIPModel.extend_elements:
        return
    known = source.dataset_info.atomic_types
    new = sorted(set(model.dataset_info.atomic_types) - set(known))
    raise ArchitectureError(
        f"the model does not know {symbols(new)}, and {type(model).__name__} cannot learn more "
        "elements",
        hint=f"it was made for {symbols(known)}; leave the structures with other elements out, "
        "or train a new model",
    )


def _check_heads(source: MLIPModel, model: MLIPModel, counterparts: Mapping[str, str]) -> None:
    """Models that do not name their heads keep all of their targets, under whatever names."""
    if heads_of(model):
        return
    wanted = [counterparts.get(name) for name in model.target_names]
    if wanted == source.target_names:
        return
    known, own = ", ".join(source.target_names), ", ".join(model.target_names)
    one = len(source.target_names) == len(model.target_names) == 1
    pair = f"{{{own}: {known}}}"
    raise ArchitectureError(
        f"{type(model).__name__} does not say which of its weights belong to which target, so "
        f"those for {known} do not serve {own}",
        hint=f"start from all of them: architecture.training.finetune.inherit_heads: {pair}"
        if one
        else "give the targets of the source, or train a new model",
    )


def _origin(
    name: str, source: MLIPModel, model: MLIPModel, counterparts: Mapping[str, str]
) -> str | None:
    """Name in ``source`` of the tensor ``name``; None for a new head or a new input."""
    serves, origin = of_input(name, source, model)
    if serves:
        return origin
    for target, modules in heads_of(model).items():
        for i, module in enumerate(modules):
            if not is_within(name, module):
                continue
            if target not in counterparts:
                return None
            there = heads_of(source)[counterparts[target]]
            return there[i] + name.removeprefix(module) if i < len(there) else name
    return name

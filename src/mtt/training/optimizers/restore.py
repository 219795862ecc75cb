"""The state of an optimizer, put back into a new one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from mtt.discovery import OPTIMIZERS
from mtt.errors import TrainingError
from mtt.training.optimizers.kind import OptimizerKind

_OWN = ("params", "param_names", "shapes", "optimizer", "lr_factor", "l2", "matrices")


def restore_optimizer(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Take moments and step counts from ``state``, but keep the options of ``optimizer``.

    Parameters are matched by name, so that their groups may differ. Every number comes back
    with the bits and the type that it was saved with.

    :param state: a ``state_dict`` of what :func:`make_optimizer` made.
    :raises TrainingError: ``state`` belongs to other parameters, or to another optimizer.
    """
    check_optimizer(optimizer, state)
    saved, own = state["param_groups"], optimizer.state_dict()["param_groups"]
    theirs = _by_name(saved)
    entries: dict[Any, Any] = {}
    for name, (index, _) in _by_name(own).items():
        if theirs[name][0] in state["state"]:
            entries[index] = state["state"][theirs[name][0]]
    groups = []
    for group in own:
        source = theirs[group["param_names"][0]][1]
        # the rate of the last step: every step sets its own, but there may be none left
        groups.append({**group, "lr": source["lr"], **_counters(optimizer, source)})
    optimizer.load_state_dict({"state": entries, "param_groups": groups})
    parameters = {
        index: parameter
        for group, old in zip(optimizer.param_groups, own, strict=True)
        for index, parameter in zip(old["params"], group["params"], strict=True)
    }
    for index, entry in entries.items():
        # torch gives every tensor the type of its parameter; some counters have another
        loaded = optimizer.state[parameters[index]]
        for key, value in entry.items():
            loaded[key] = _placed(value, loaded[key])


def check_optimizer(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Whether ``optimizer`` can take moments and step counts from ``state``; changes nothing.

    :raises TrainingError: as :func:`restore_optimizer`.
    """
    saved, own = state["param_groups"], optimizer.state_dict()["param_groups"]
    _check_parameters(saved, own)
    _check_kind(saved, own)


def _check_parameters(saved: Sequence[Mapping[str, Any]], own: Sequence[Mapping[str, Any]]) -> None:
    if _shapes(saved) != _shapes(own):
        raise TrainingError(
            "the optimizer in the checkpoint belongs to other parameters than the model's",
            hint="start from its weights with finetune.read_from instead of --restart",
        )


def _check_kind(saved: Sequence[Mapping[str, Any]], own: Sequence[Mapping[str, Any]]) -> None:
    old, new = saved[0], own[0]
    same = _state_of(old["optimizer"]) == _state_of(new["optimizer"])
    shaping = OPTIMIZERS.load(new["optimizer"], OptimizerKind).shaping
    changed = [key for key in shaping if old.get(key) != new.get(key)]
    if not same or changed:
        what = f"was {old['optimizer']!r}, not {new['optimizer']!r}"
        if same:
            what = f"had another {' and '.join(changed)}"
        raise TrainingError(
            f"the optimizer in the checkpoint {what}",
            hint="restart with the options it had, or start from its weights with "
            "finetune.read_from",
        )


def _state_of(name: str) -> str:
    """The optimizer whose state it has; of one that is not installed, its own."""
    return (name in OPTIMIZERS.names() and OPTIMIZERS.fact(name, "state_of", "")) or name


def _shapes(groups: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Shape by name of parameter."""
    return {
        name: list(shape)
        for group in groups
        for name, shape in zip(group["param_names"], group["shapes"], strict=True)
    }


def _by_name(
    groups: Sequence[Mapping[str, Any]],
) -> dict[str, tuple[int, Mapping[str, Any]]]:
    """Index in the state, and group, by name of parameter."""
    return {
        name: (index, group)
        for group in groups
        for name, index in zip(group["param_names"], group["params"], strict=True)
    }


def _counters(optimizer: Optimizer, group: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of a saved group that are not options; torch counts by parameter, not by group."""
    if not type(optimizer).__module__.startswith("pytorch_optimizer"):
        return {}
    options = {*inspect.signature(type(optimizer)).parameters, *_OWN}
    return {key: _copy(value) for key, value in group.items() if key not in options}


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def _placed(value: Any, loaded: Any) -> Any:
    """``value`` with its own bits and type, where torch has put it."""
    if isinstance(value, Tensor):
        return value.clone().to(loaded.device) if isinstance(loaded, Tensor) else value.clone()
    if isinstance(value, list | tuple):
        return type(value)(_placed(v, w) for v, w in zip(value, loaded, strict=True))
    return value

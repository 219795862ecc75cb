"""Weights of loss terms: numbers, or schedules by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtt.options.schema.words import shown
from mtt.options.yaml.places import Fault, KeyPath, as_index

INTERPOLATION = "interpolation"
_FORM = "write {0: 1.0, 100: 25.0}: epochs completed, and the weight from there on"


def weight_faults(weight: Any, path: KeyPath) -> list[Fault]:
    """Find mistakes in the weight of the loss term at ``path``.

    A schedule has a weight for epoch 0, and may say ``interpolation: linear`` (or ``step``).
    """
    if not isinstance(weight, Mapping):
        return _number_faults(weight, path)
    faults = []
    for key, value in weight.items():
        if key == INTERPOLATION:
            if value not in ("step", "linear"):
                what = f"expected 'step' or 'linear', got {shown(value)}"
                faults.append(Fault((*path, key), what))
        elif _epoch(key) is None:
            faults.append(Fault((*path, str(key)), f"{str(key)!r} is not an epoch", _FORM))
        else:
            faults += _number_faults(value, (*path, str(key)))
    epochs = [_epoch(key) for key in weight if _epoch(key) is not None]
    if len(set(epochs)) < len(epochs):
        faults.append(Fault(path, "an epoch is given twice"))
    if not faults and 0 not in epochs:
        faults.append(Fault(path, "there is no weight for epoch 0", _FORM))
    return faults


def plain_weight(weight: Any) -> float | dict[Any, Any]:
    """A checked weight in its one form: a float, or epochs as integers, ascending."""
    if not isinstance(weight, Mapping):
        return float(weight)
    epochs = {int(key): float(weight[key]) for key in weight if key != INTERPOLATION}
    linear = weight.get(INTERPOLATION) == "linear"
    return {**dict(sorted(epochs.items())), **({INTERPOLATION: "linear"} if linear else {})}


def _epoch(key: Any) -> int | None:
    if not isinstance(key, str | int) or isinstance(key, bool):
        return None
    epoch = as_index(key)
    return None if epoch is None or epoch < 0 else epoch


def _number_faults(value: Any, path: KeyPath) -> list[Fault]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return [Fault(path, f"expected a number, got {shown(value)}")]
    if not 0 <= value < float("inf"):
        return [Fault(path, f"must be at least 0 and finite, got {value}")]
    return []

"""The format of a checkpoint: its keys, and the values that it may hold.

Needed are ``model_ckpt_version`` and ``architecture_name``; the platform's own trainer writes
all of the keys below. ``docs/src/checkpoints.md`` describes their content.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

FORMAT_VERSION = 1
"""Raised when older programs could misread what newer ones write."""

FORMAT = "format_version"
MTT_VERSION = "mtt_version"
ARCHIVE = "archive_version"  # there in what was read from a light archive
ARCHITECTURE = "architecture_name"
MODEL_VERSION = "model_ckpt_version"
TRAINER_VERSION = "trainer_ckpt_version"
METADATA = "metadata"
PROVENANCE = "provenance"
DATASET_INFO = "dataset_info"
MODEL_HYPERS = "model_hypers"
TRAIN_HYPERS = "train_hypers"
MODEL_STATE = "model_state_dict"
EPOCH = "epoch"
BEST_EPOCH = "best_epoch"
BEST_METRIC = "best_metric"
TRAINER_STATE = "trainer_state"
STEP = "step"  # optimizer steps done; in the checkpoint itself or in its trainer state

# Exactly these types, no subclasses: numpy.float64 is a float, and would not load again.
_LEAVES = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    bytearray,
    torch.Tensor,
    torch.nn.Parameter,
    torch.dtype,
    torch.device,
    torch.Size,
)
_SEQUENCES = (list, tuple, set)
_MAPPINGS = (dict, OrderedDict)
_KEYS = (type(None), bool, int, float, str, bytes)


def foreign_values(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """``(path, why)`` of everything in ``value`` that is neither a tensor nor a plain type.

    ``path`` reads like Python: ``trainer_state["rng"][1]``.
    """
    kind = type(value)
    if kind in _LEAVES:
        if isinstance(value, torch.Tensor) and value.is_meta:
            yield path, "a tensor without values (on the device 'meta')"
    elif kind in _MAPPINGS:
        for key, item in value.items():
            place = f"{path}[{key!r}]" if path else str(key)
            if not _is_key(key):
                yield place, f"a key of type {_name(type(key))}"
            yield from foreign_values(item, place)
    elif kind in _SEQUENCES:
        for i, item in enumerate(value):
            yield from foreign_values(item, f"{path}[{i}]")
    else:
        yield path, _name(kind)


def _same_kind(written: torch.Tensor, read: torch.Tensor) -> bool:
    return written.dtype == read.dtype and written.shape == read.shape


def first_difference(
    written: Any,
    read: Any,
    path: str = "",
    *,
    same: Callable[[torch.Tensor, torch.Tensor], bool] = _same_kind,
) -> str | None:
    """Where ``read`` is not what was ``written``, or None.

    :param same: whether two tensors are equal; by default in dtype and shape, where the
        values are left to the checksums of the file.
    """
    if isinstance(written, torch.Tensor) and isinstance(read, torch.Tensor):
        return None if same(written, read) else path
    if type(written) is not type(read):
        return path
    if isinstance(written, Mapping):
        if list(written) != list(read):
            return path
        pairs = ((f"{path}[{key!r}]", written[key], read[key]) for key in written)
    elif isinstance(written, (list, tuple)):
        if len(written) != len(read):
            return path
        pairs = ((f"{path}[{i}]", *both) for i, both in enumerate(zip(written, read, strict=True)))
    else:  # a NaN differs from itself
        return None if written == read or str(written) == str(read) else path
    differences = (first_difference(old, new, place, same=same) for place, old, new in pairs)
    return next((place for place in differences if place is not None), None)


def n_bytes(value: Any) -> int:
    """Bytes of all tensors in ``value``, each storage counted once."""
    return sum(_storages(value).values())


def progress(checkpoint: Mapping[str, Any]) -> tuple[float, float]:
    """How far the training had come, as ``(epoch, step)``; -1 where it is not stored."""
    state = checkpoint.get(TRAINER_STATE)
    step = checkpoint.get(STEP, state.get(STEP) if isinstance(state, Mapping) else None)
    return _count(checkpoint.get(EPOCH)), _count(step)


def _count(value: Any) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # an integer of any length can be stored; no training gets to 2⁵³
    return float(value) if number and abs(value) < 2**53 else -1.0


def _is_key(key: Any) -> bool:
    if type(key) is tuple:
        return all(_is_key(item) for item in key)
    return type(key) in _KEYS


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _storages(value: Any) -> dict[int, int]:
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.is_meta:
            return {id(value): value.numel() * value.element_size()}
        storage = value.untyped_storage()
        return {storage.data_ptr(): storage.nbytes()}
    found: dict[int, int] = {}
    if isinstance(value, (Mapping, list, tuple)):
        for item in value.values() if isinstance(value, Mapping) else value:
            found.update(_storages(item))
    return found

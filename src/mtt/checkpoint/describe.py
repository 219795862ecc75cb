"""What a checkpoint, an archive or an exported model is, as plain values for `mtt show`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mtt.checkpoint import format as keys
from mtt.checkpoint.archive import read_archive
from mtt.checkpoint.exported import describe_exported
from mtt.checkpoint.kinds import (
    check_path,
    is_archive,
    is_exported,
    names_in,
    refuse_unless_zip,
)
from mtt.checkpoint.read import peek, verify_archive
from mtt.errors import CheckpointError


def describe(path: str | Path) -> dict[str, Any]:
    """The content of ``path``, a checkpoint, an archive or an exported model, as JSON values.

    Always there are ``file``, ``bytes``, ``kind`` (``"checkpoint"``, ``"archive"``,
    ``"exported model"``, or ``"unknown"`` of one cut short) and ``problem``, None for a sound
    file. For a damaged one, what can still be trusted is reported. No program is loaded: of an
    exported model, the texts are read that metatomic wrote into it.

    :raises CheckpointError: the file is missing, or none of the three.
    """
    path = check_path(path)
    with open(path, "rb") as file:
        refuse_unless_zip(file, path)
        problem = None
        try:
            names = verify_archive(file, path)
        except CheckpointError as error:
            problem = error.problems[0].what
            names = names_in(path)
    kind = _kind(names)
    head = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "kind": kind,
        "problem": problem,
    }
    if problem is not None:
        return head | (_what_is_left(path) if kind == "checkpoint" else {})
    if kind == "exported model":
        return head | describe_exported(path)
    return head | describe_content(read_archive(path) if kind == "archive" else peek(path))


def metric_of(checkpoint: Mapping[str, Any]) -> str | None:
    """The name of the metric of the best epoch of a checkpoint; None if it is not stored."""
    training, state = checkpoint.get(keys.TRAIN_HYPERS), checkpoint.get(keys.TRAINER_STATE)
    chosen = training.get("best_model_metric") if isinstance(training, Mapping) else None
    if checkpoint.get(keys.BEST_EPOCH) is None or not isinstance(chosen, str):
        return None
    compared = state.get("best_metric") if isinstance(state, Mapping) else None
    return f"1 - {chosen}" if compared == f"1 - {chosen}" else chosen


def _kind(names: list[str]) -> str:
    if is_archive(names):
        return "archive"
    if is_exported(names):
        return "exported model"
    return "checkpoint" if names else "unknown"  # its table of contents is lost


def describe_content(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the values of a checkpoint say of it; the part of :func:`describe` without the file."""
    info = _mapping(content.get(keys.DATASET_INFO))
    epoch, step = keys.progress(content)
    described = {
        "architecture": content.get(keys.ARCHITECTURE),
        "mtt_version": content.get(keys.MTT_VERSION),
        "format_version": content.get(keys.FORMAT, content.get(keys.ARCHIVE)),
        "model_version": content.get(keys.MODEL_VERSION),
        "trainer_version": content.get(keys.TRAINER_VERSION),
        "epoch": int(epoch) if epoch >= 0 else None,
        "step": int(step) if step >= 0 else None,
        "best_epoch": content.get(keys.BEST_EPOCH),
        "metric": metric_of(content),
        "best_metric": content.get(keys.BEST_METRIC),
        "length_unit": info.get("length_unit"),
        "atomic_types": info.get("atomic_types"),
        "targets": _mapping(info.get("targets")),
        "weights": _weights(content.get(keys.MODEL_STATE)),
        "model_hypers": _mapping(content.get(keys.MODEL_HYPERS)),
        "train_hypers": _mapping(content.get(keys.TRAIN_HYPERS)),
        "metadata": _mapping(content.get(keys.METADATA)),
        "provenance": _mapping(content.get(keys.PROVENANCE)),
    }
    return {key: _plain(value) for key, value in described.items()}


def _what_is_left(path: Path) -> dict[str, Any]:
    """The plain values of a damaged checkpoint, if their own checksum is right."""
    try:
        return describe_content(peek(path))
    except CheckpointError:
        return {}


def _weights(state: Any) -> dict[str, Any] | None:
    """Number of stored values, and their dtypes, of a model's state dict."""
    if not isinstance(state, Mapping):
        return None
    tensors = [value for value in state.values() if isinstance(value, torch.Tensor)]
    dtypes = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors})
    return {"values": sum(tensor.numel() for tensor in tensors), "dtypes": dtypes}


def _plain(value: Any) -> Any:
    """``value`` in the types of JSON; a tensor by its shape, unless it is a number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, torch.Tensor):
        return _plain(value.item()) if value.numel() == 1 else f"tensor of shape {[*value.shape]}"
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (type(None), bool, int, float, str)) else str(value)


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}

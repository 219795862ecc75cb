"""What a checkpoint, an archive or an exported model is, as plain values for `mtt show`."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from metatomic.torch import load_atomistic_model, read_model_metadata

from mtt.checkpoint import format as keys
from mtt.checkpoint.archive import read_archive
from mtt.checkpoint.kinds import check_path, is_archive, is_exported, refuse_unless_zip
from mtt.checkpoint.metadata import metadata_to_dict
from mtt.checkpoint.read import peek, verify_archive
from mtt.errors import CheckpointError


def describe(path: str | Path) -> dict[str, Any]:
    """What stands in ``path``, a checkpoint, an archive or an exported model, as JSON has it.

    Always there are ``file``, ``bytes``, ``kind`` (``"checkpoint"``, ``"archive"`` or
    ``"exported model"``) and ``problem``, None for a sound file. Of a damaged one, what can
    still be trusted is told. Of an exported model, ``capabilities`` need its TorchScript program
    to be loaded; where that fails (an extension that is not installed) they are None and
    ``problem`` says so.

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
            names = _names(path)
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
        return head | _exported(path, names)
    return head | _checkpoint(read_archive(path) if kind == "archive" else peek(path))


def _kind(names: list[str]) -> str:
    if is_archive(names):
        return "archive"
    return "exported model" if is_exported(names) else "checkpoint"


def _checkpoint(content: Mapping[str, Any]) -> dict[str, Any]:
    info = _mapping(content.get(keys.DATASET_INFO))
    epoch, step = keys.progress(content)
    told = {
        "architecture": content.get(keys.ARCHITECTURE),
        "mtt_version": content.get(keys.MTT_VERSION),
        "format_version": content.get(keys.FORMAT, content.get(keys.ARCHIVE)),
        "model_version": content.get(keys.MODEL_VERSION),
        "trainer_version": content.get(keys.TRAINER_VERSION),
        "epoch": int(epoch) if epoch >= 0 else None,
        "step": int(step) if step >= 0 else None,
        "best_epoch": content.get(keys.BEST_EPOCH),
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
    return {key: _plain(value) for key, value in told.items()}


def _what_is_left(path: Path) -> dict[str, Any]:
    """The plain values of a damaged checkpoint, if their own checksum is right."""
    try:
        return _checkpoint(peek(path))
    except CheckpointError:
        return {}


def _exported(path: Path, names: list[str]) -> dict[str, Any]:
    if not any(name.endswith("/extra/model-metadata") for name in names):
        raise CheckpointError(
            "is a TorchScript program, but not an exported atomistic model",
            where=str(path),
        )
    metadata = metadata_to_dict(read_model_metadata(str(path)))
    content: dict[str, Any] = {
        "metadata": metadata,
        "export": _export_record(path, names),
    }
    try:
        model = load_atomistic_model(str(path))
    except (RuntimeError, ValueError) as error:
        problem = f"cannot be loaded here: {str(error).strip().partition(chr(10))[0]}"
        return content | {"problem": problem, "capabilities": None}
    return content | {"capabilities": _capabilities(model)}


def _export_record(path: Path, names: list[str]) -> dict[str, Any]:
    """Where, when and with what the file was made, as metatomic stores it."""
    record: dict[str, Any] = {}
    with zipfile.ZipFile(path) as archive:
        for name in names:
            _, _, key = name.partition("/extra/")
            if key in ("torch-version", "metatomic-version"):
                record[key] = archive.read(name).decode()
            elif key == "export-metadata":
                record |= json.loads(archive.read(name))
            elif key == "extensions":
                record[key] = json.loads(archive.read(name))
    return record


def _capabilities(model: Any) -> dict[str, Any]:
    capabilities = model.capabilities()
    outputs = {
        name: {
            "unit": output.unit,
            "sample_kind": output.sample_kind,
            "gradients": list(output.explicit_gradients),
            "description": output.description,
        }
        for name, output in capabilities.outputs.items()
    }
    cutoffs = [options.cutoff for options in model.requested_neighbor_lists()]
    return {
        "outputs": outputs,
        "atomic_types": list(capabilities.atomic_types),
        "interaction_range": float(capabilities.interaction_range),
        "cutoff": max(cutoffs, default=0.0),
        "length_unit": capabilities.length_unit,
        "supported_devices": list(capabilities.supported_devices),
        "dtype": capabilities.dtype,
    }


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
        return value.item() if value.numel() == 1 else f"tensor of shape {list(value.shape)}"
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (type(None), bool, int, float, str)) else str(value)


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _names(path: Path) -> list[str]:
    """The archive's table of contents, if it can still be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return []

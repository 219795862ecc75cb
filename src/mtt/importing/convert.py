"""A model of another program as an ordinary checkpoint."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtt._version import __version__
from mtt.checkpoint import merge_metadata, metadata_from_dict
from mtt.checkpoint.format import ARCHITECTURE, PROVENANCE
from mtt.errors import CheckpointError, Problem
from mtt.importing.contract import Imported
from mtt.mlip import MLIPModel
from mtt.options.schema.validate import validate
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import Architecture

_TABLES = ("composition.", "scale.", "zbl.", "prior.")


def checkpoint_of(found: Imported, architecture: Architecture, path: str | Path) -> dict[str, Any]:
    """The checkpoint of ``found``: one set of weights, and where it comes from.

    :param path: the file that it was read from.
    :raises CheckpointError: its options are not the architecture's, or its weights do not fit
        the model that they ask for.
    """
    hypers = _hypers(found, architecture, path)
    model = architecture.model(hypers, found.info)
    if not isinstance(model, MLIPModel):
        raise CheckpointError(
            f"{architecture.name} does not build on MLIPModel: it cannot import", where=str(path)
        )
    dtypes = {tensor.dtype for tensor in found.weights.values() if tensor.is_floating_point()}
    model.to(max(dtypes, key=lambda one: one.itemsize, default=torch.float32))
    _fill(model, found, path)
    if found.metadata:
        model.metadata = merge_metadata(model.metadata, metadata_from_dict(found.metadata))
    return {
        **model.get_checkpoint(),
        ARCHITECTURE: architecture.name,
        PROVENANCE: provenance(found, path),
    }


def provenance(found: Imported, path: str | Path) -> dict[str, Any]:
    """Where the weights come from, as plain types."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "start": "imported",
        "imported": {
            "program": found.program,
            "kind": found.kind,
            "file": Path(path).name,
            "sha256": digest,
            "left_out": list(found.left_out),
        },
        "mtt_version": __version__,
    }


def _hypers(found: Imported, architecture: Architecture, path: str | Path) -> dict[str, Any]:
    """All options of the model, as an options file would give them."""
    platform = {k: v for k, v in architecture.model.platform_hypers().items() if v is not None}
    defaults = deep_merge(platform, architecture.default_hypers["model"])
    hypers: dict[str, Any] = deep_merge(defaults, dict(found.hypers))
    if architecture.schema is not None:
        own = {key: hypers[key] for key in hypers if key in architecture.default_hypers["model"]}
        values = {**architecture.default_hypers, "model": own}
        faults = [
            one for one in validate(values, architecture.schema) if one.path[:1] == ("model",)
        ]
        if faults:
            raise CheckpointError.collect(
                [
                    Problem(f"{'.'.join(map(str, one.path))}: {one.what}", str(path), one.hint)
                    for one in faults
                ]
            )
    return hypers


@torch.no_grad()
def _fill(model: MLIPModel, found: Imported, path: str | Path) -> None:
    own = {k: v for k, v in model.state_dict().items() if not k.startswith(_TABLES)}
    problems = [f"no weights for {name}" for name in own if name not in found.weights]
    problems += [f"weights {name}, which it has not" for name in found.weights if name not in own]
    problems += [
        f"{name} of the shape {list(value.shape)}, not {list(own[name].shape)}"
        for name, value in found.weights.items()
        if name in own and own[name].shape != value.shape
    ]
    if problems:
        raise CheckpointError(
            f"does not fit {type(model).__name__} with its options: {'; '.join(problems[:5])}",
            where=str(path),
        )
    for name, value in found.weights.items():
        own[name].copy_(value)
    columns = [found.composition[name] for name in model.target_names]
    model.composition.values.copy_(torch.cat(columns, dim=1))
    model.scale.values.copy_(_scales(model, found))


def _scales(model: MLIPModel, found: Imported) -> Tensor:
    return torch.tensor([found.scales[name] for name in model.target_names], dtype=torch.float64)

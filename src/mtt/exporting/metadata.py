"""Name, authors and references of a model, as the user writes them."""

from __future__ import annotations

from pathlib import Path

from metatomic.torch import ModelMetadata

from mtt.checkpoint import (
    merge_metadata,
    metadata_from_dict,
    metadata_to_dict,
    read,
    write,
)
from mtt.errors import CheckpointError
from mtt.options.yaml.load import read_yaml


def read_metadata(path: str | Path) -> ModelMetadata:
    """Metadata from a YAML file.

    Keys: ``name``, ``description``, ``authors`` (list), ``references`` (lists under
    ``model``, ``architecture``, ``implementation``), ``extra`` (texts).

    :raises ConfigError: the file is not YAML, or a key or value is wrong.
    """
    return metadata_from_dict(read_yaml(path) or {}, where=str(path))


def rewrite_metadata(source: str | Path, path: str | Path, metadata: ModelMetadata) -> Path:
    """Copy the checkpoint ``source`` to ``path`` with ``metadata`` added to its own.

    Texts are replaced, lists and mappings extended. ``path`` may be ``source`` itself.

    :raises CheckpointError: ``source`` is not a checkpoint, or ``path`` cannot be written.
    """
    target = Path(path)
    if target.suffix != ".ckpt":
        raise CheckpointError("a checkpoint is written as .ckpt", where=str(target))
    checkpoint = read(source)
    own = metadata_from_dict(checkpoint.get("metadata") or {}, where=str(source))
    write(target, {**checkpoint, "metadata": metadata_to_dict(merge_metadata(own, metadata))})
    return target

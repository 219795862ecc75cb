"""A checkpoint becomes a file that simulation engines run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from mtt.errors import ConfigError
from mtt.exporting import export_model, read_metadata, rewrite_metadata
from mtt.workflows.folder import check_writable
from mtt.workflows.load import is_exported, load_checkpoint, model_from

_PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


def export(
    checkpoint: str | Path,
    output: str | Path | None = None,
    *,
    metadata: str | Path | None = None,
    dtype: str | None = None,
    architectures: Sequence[str | Path] = (),
) -> Path:
    """Export the best weights of ``checkpoint``, verified in a fresh process.

    :param output: the exported model (``.pt``; default: the checkpoint's name with that
        suffix), or a ``.ckpt``, which gets the checkpoint with new ``metadata``.
    :param metadata: YAML file with fields of metatomic's ``ModelMetadata``.
    :param dtype: ``"float32"`` or ``"float64"``, the precision that engines see.
    :param architectures: folders of architectures outside of the package.
    :return: the file that was written.
    :raises CheckpointError: the checkpoint cannot be read, or the export differs from it.
    :raises ConfigError: the output or the metadata cannot be used.
    """
    if dtype is not None and dtype not in _PRECISIONS:
        raise ConfigError(f"no export in {dtype!r}", hint=f"one of {', '.join(_PRECISIONS)}")
    source = Path(checkpoint)
    target = Path(output) if output is not None else Path(source.with_suffix(".pt").name)
    check_writable(target)
    given = None if metadata is None else read_metadata(metadata)
    if is_exported(source):
        raise ConfigError(
            "this is an exported model already", where=str(source), hint="give its checkpoint"
        )
    if target.suffix == ".ckpt":
        if given is None:
            raise ConfigError(
                "a checkpoint is only written again for its metadata",
                where=str(target),
                hint="give --metadata, or a name that ends in .pt",
            )
        return rewrite_metadata(source, target, given)
    contents, architecture = load_checkpoint(source, architectures)
    model = model_from(contents, architecture, "export")
    precision = None if dtype is None else _PRECISIONS[dtype]
    return export_model(model, target, metadata=given, dtype=precision)

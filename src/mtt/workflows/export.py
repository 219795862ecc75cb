"""A checkpoint becomes a file that simulation engines run, or one that keeps its model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from mtt.checkpoint.format import BEST_EPOCH, BEST_METRIC
from mtt.errors import ConfigError
from mtt.exporting import export_archive, export_model, read_metadata, rewrite_metadata
from mtt.fetching import located, named_by_address
from mtt.workflows.overwriting import Named, refuse_overwriting
from mtt.workflows.run.folder import check_writable
from mtt.workflows.run.foreign import refuse_programs
from mtt.workflows.run.load_model import is_exported, load_checkpoint, model_from, tell_weights
from mtt.workflows.run.provenance import stored_provenance

_PRECISIONS = {"float32": torch.float32, "float64": torch.float64}
_KINDS = {".ckpt": "the checkpoint with new metadata", ".zip": "the light archive"}
_RECORD = (BEST_EPOCH, BEST_METRIC)


def export(
    checkpoint: str | Path,
    output: str | Path | None = None,
    *,
    metadata: str | Path | None = None,
    dtype: str | None = None,
    token: str | None = None,
    architectures: Sequence[str | Path] = (),
) -> Path:
    """Export the best weights of ``checkpoint``, verified.

    :param checkpoint: a checkpoint, or a light archive; or the address of one.
    :param output: the exported model (``.pt``; default: the checkpoint's name with that
        suffix), a light archive (``.zip``), or a ``.ckpt``, which gets the checkpoint with new
        ``metadata``.
    :param metadata: YAML file with fields of metatomic's ``ModelMetadata``.
    :param dtype: ``"float32"`` or ``"float64"``, the precision that engines see.
    :param token: for a server that asks for one.
    :param architectures: folders of architectures outside of the package.
    :return: the file that was written.
    :raises CheckpointError: the checkpoint cannot be read, or the export differs from it.
    :raises ConfigError: the output or the metadata cannot be used.
    """
    found = located(checkpoint, token)
    source = found.path
    target = Path(output) if output is not None else Path(source.with_suffix(".pt").name)
    _check(source, target, dtype)
    read = [Named(source, "the checkpoint")]
    read += [] if metadata is None else [Named(Path(metadata), "the metadata")]
    refuse_overwriting([Named(target, _KINDS.get(target.suffix, "the exported model"))], read)
    given = None if metadata is None else read_metadata(metadata)
    if target.suffix == ".ckpt":
        if given is None:
            raise ConfigError(
                "a checkpoint is only written again for its metadata",
                where=str(target),
                hint="give --metadata, or a name that ends in .pt",
            )
        return rewrite_metadata(source, target, given)
    with named_by_address(found):
        contents, architecture = load_checkpoint(source, architectures)
        tell_weights(source, contents)
        model = model_from(contents, architecture, "export", source)
    if target.suffix == ".zip":
        record = {key: contents[key] for key in _RECORD if key in contents}
        record["provenance"] = stored_provenance(source, contents)
        return export_archive(model, target, given, architecture=architecture.name, record=record)
    precision = None if dtype is None else _PRECISIONS[dtype]
    return export_model(model, target, metadata=given, dtype=precision)


def _check(source: Path, target: Path, dtype: str | None) -> None:
    """Refuse, before any work, what cannot be exported like this."""
    if dtype is not None and dtype not in _PRECISIONS:
        raise ConfigError(f"no export in {dtype!r}", hint=f"one of {', '.join(_PRECISIONS)}")
    if dtype is not None and target.suffix == ".zip":
        raise ConfigError(
            "an archive keeps the precision of its model",
            where=str(target),
            hint="leave --dtype out, or export to a .pt file",
        )
    check_writable(target)
    if is_exported(source):
        refuse_programs(source)
        raise ConfigError(
            "this is an exported model already", where=str(source), hint="give its checkpoint"
        )

"""Exported models, read back."""

from __future__ import annotations

from pathlib import Path

from metatomic.torch import AtomisticModel, load_atomistic_model

from mtt.checkpoint import verify
from mtt.errors import CheckpointError
from mtt.exporting.blame import whole_text


def load_exported(path: str | Path, extensions: str | Path | None = None) -> AtomisticModel:
    """The exported model at ``path``, on the CPU.

    An exported model is a program (TorchScript): load files only from those you trust.

    :param extensions: folder with the TorchScript extensions that it was saved with. Files of mtt
        have none.
    :raises CheckpointError: there is no such file or folder, it is damaged, or no exported model.
    """
    verify(path)  # torch checks no checksums: a flipped bit would load as another model
    if extensions is not None and not Path(extensions).is_dir():
        hint = "files that mtt exported need none: leave the option out"
        raise CheckpointError("no such folder of extensions", where=str(extensions), hint=hint)
    folder = None if extensions is None else str(extensions)
    try:
        return load_atomistic_model(str(path), extensions_directory=folder)
    except (RuntimeError, ValueError) as error:
        cause = whole_text(error)
        raise CheckpointError(
            f"is not an exported model that can be loaded: {cause}", where=str(path)
        ) from error

"""Exported models, read back."""

from __future__ import annotations

from pathlib import Path

from metatomic.torch import AtomisticModel, load_atomistic_model

from mtt.checkpoint import verify
from mtt.errors import CheckpointError
from mtt.exporting.blame import whole_text


def load_exported(path: str | Path) -> AtomisticModel:
    """The exported model at ``path``, on the CPU.

    An exported model is a program (TorchScript): load files only from those you trust.

    :raises CheckpointError: there is no such file, it is damaged, or no exported model.
    """
    verify(path)  # torch checks no checksums: a flipped bit would load as another model
    try:
        return load_atomistic_model(str(path))
    except (RuntimeError, ValueError) as error:
        cause = whole_text(error)
        raise CheckpointError(
            f"is no exported model that can be loaded: {cause}", where=str(path)
        ) from error

"""Any model that mtt wrote: checkpoints and exported files."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtt import registry
from mtt.checkpoint import read, upgrade
from mtt.exporting import load_exported
from mtt.interface import Context, ModelInterface

if TYPE_CHECKING:
    from metatomic.torch import AtomisticModel


def load_checkpoint(
    path: str | Path,
    architectures: Sequence[str | Path] = (),
    *,
    name: str | None = None,
    trainer: bool = False,
) -> tuple[dict[str, Any], registry.Architecture]:
    """A checkpoint, upgraded to today's version, and the architecture that wrote it.

    :param name: the architecture to assume where the file does not say.
    :param trainer: whether the trainer's part is needed too, for a restart.
    :raises CheckpointError: damaged, unsafe, not a checkpoint, or too new.
    :raises ArchitectureError: its architecture is not found.
    """
    checkpoint = read(path, architecture=name)
    found = registry.find(checkpoint["architecture_name"], architectures, where=str(path))
    architecture = found.load()
    return upgrade(checkpoint, architecture, trainer=trainer, where=str(path)), architecture


def model_from(
    checkpoint: dict[str, Any], architecture: registry.Architecture, context: Context
) -> ModelInterface:
    """The model in an upgraded ``checkpoint``."""
    model: ModelInterface = architecture.model.load_checkpoint(checkpoint, context)
    return model


def load_model(
    path: str | Path, *, architectures: Sequence[str | Path] = ()
) -> ModelInterface | AtomisticModel:
    """A trained model: the best weights of a ``.ckpt``, or an exported ``.pt``.

    An exported model is a TorchScript program: load only files that you trust.

    :param architectures: folders of architectures outside of the package.
    :raises CheckpointError: the file is damaged, or neither of the two.
    """
    if is_exported(path):
        return load_exported(path)
    checkpoint, architecture = load_checkpoint(path, architectures)
    return model_from(checkpoint, architecture, "export")


def is_exported(path: str | Path) -> bool:
    """Whether the file is a TorchScript archive (by content, not by name)."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False

"""Any model that mtt wrote: checkpoints, light archives and exported files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mtt import registry
from mtt.checkpoint import kinds, metric_of, read, read_archive, upgrade
from mtt.checkpoint.format import ARCHIVE
from mtt.checkpoint.read import NotOurs
from mtt.errors import CheckpointError
from mtt.exporting import load_exported
from mtt.fetching import located, named_by_address
from mtt.interface import Context, ModelInterface
from mtt.workflows.bounded import bounded_by
from mtt.workflows.run.foreign import imported_instead, is_imported, origin, refuse_programs

if TYPE_CHECKING:
    from metatomic.torch import AtomisticModel

log = logging.getLogger(__name__)


def load_checkpoint(
    path: str | Path,
    architectures: Sequence[str | Path] = (),
    *,
    name: str | None = None,
    trainer: bool = False,
) -> tuple[dict[str, Any], registry.Architecture]:
    """A checkpoint, upgraded to today's version, and the architecture that wrote it.

    A light archive is one too, of a single set of weights and without a trainer's part; so is a
    file of another program that ``mtt import`` takes, which is imported in memory.

    :param name: the architecture to assume where the file does not say.
    :param trainer: whether the trainer's part is needed too, for a restart.
    :raises CheckpointError: damaged, unsafe, not a checkpoint, or too new.
    :raises ArchitectureError: its architecture is not found.
    """
    light = kinds.is_archive(kinds.names_in(path))
    if light and trainer:
        raise CheckpointError(
            "this is the archive of a model; it holds no training to resume",
            where=str(path),
            hint="restart from a .ckpt file, or fine-tune: "
            "architecture.training.finetune.read_from",
        )
    refuse_programs(path)
    try:
        checkpoint = read_archive(path) if light else read(path, architecture=name)
    except NotOurs as error:
        checkpoint = imported_instead(error, path, architectures)
    if trainer and is_imported(checkpoint):
        raise CheckpointError(
            f"was imported from {origin(checkpoint)}; it holds no training to resume",
            where=str(path),
            hint="fine-tune it: architecture.training.finetune.read_from",
        )
    found = registry.find(checkpoint["architecture_name"], architectures, where=str(path))
    architecture = found.load()
    upgraded = upgrade(checkpoint, architecture, trainer=trainer, where=str(path))
    # a step of an upgrade may build a new checkpoint
    return upgraded | ({ARCHIVE: checkpoint[ARCHIVE]} if light else {}), architecture


def model_from(
    checkpoint: dict[str, Any],
    architecture: registry.Architecture,
    context: Context,
    where: str | Path = "",
) -> ModelInterface:
    """The model in an upgraded ``checkpoint``; no random number of the process is drawn.

    :param where: its file, for messages.
    :raises CheckpointError: its options ask for a model much larger than its weights.
    """
    if ARCHIVE in checkpoint:  # its one set of weights; only checkpoints of trainings hold two
        context = "restart"
    # first weights are drawn before those of the checkpoint take their place
    with torch.random.fork_rng(devices=[]), bounded_by(checkpoint, str(where)):
        model: ModelInterface = architecture.model.load_checkpoint(checkpoint, context)
    return model


def load_model(
    path: str | Path,
    *,
    architectures: Sequence[str | Path] = (),
    extensions: str | Path | None = None,
    token: str | None = None,
) -> ModelInterface | AtomisticModel:
    """A trained model: the best weights of a ``.ckpt``, a ``.zip``, or an exported ``.pt``.

    An exported model is a TorchScript program: load only files that you trust. From an address
    checkpoints and archives are loaded, which are none.

    :param architectures: folders of architectures outside of the package.
    :param extensions: folder of the extensions of an exported model of another program.
    :param token: for the server of an address, if it asks for one.
    :raises CheckpointError: the file is damaged, or none of the three; no such folder.
    """
    found = located(path, token)
    path = found.path
    if is_exported(path):
        if found.url:
            raise CheckpointError(
                "is an exported model, a program, which is not run from an address",
                where=found.url,
                hint=f"if you trust its author, give the downloaded file: {path}",
            )
        return load_exported(path, extensions)
    with named_by_address(found):
        checkpoint, architecture = load_checkpoint(path, architectures)
        tell_weights(path, checkpoint)
        return model_from(checkpoint, architecture, "export", path)


def tell_weights(path: str | Path, checkpoint: Mapping[str, Any]) -> None:
    """Say which weights of ``checkpoint`` are taken, where there is a choice."""
    if not is_imported(checkpoint):  # there is one set of them
        log.info("%s: the %s", path, which_weights(checkpoint))


def which_weights(checkpoint: Mapping[str, Any]) -> str:
    """``best weights, of epoch 3 (forces RMSE 0.0213)``: those that are exported."""
    best = checkpoint.get("best_epoch")
    if best is None:
        return "latest weights; it names none as the best"
    metric, found = metric_of(checkpoint), checkpoint.get("best_metric")
    value = f" ({metric} {found:.6g})" if metric and isinstance(found, float | int) else ""
    return f"best weights, of epoch {best}{value}"


def is_exported(path: str | Path) -> bool:
    """Whether the file is a TorchScript archive (by content, not by name)."""
    return kinds.is_exported(kinds.names_in(path))

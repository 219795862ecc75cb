"""The model and the trainer that a run starts with: new, restarted, or fine-tuned."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mtt.data import DatasetInfo
from mtt.errors import CheckpointError, MttError, Problem
from mtt.interface import Context, ModelInterface, TrainerInterface
from mtt.registry import Architecture
from mtt.workflows.load import load_checkpoint, model_from
from mtt.workflows.restart import Restart

log = logging.getLogger(__name__)


class Start(NamedTuple):
    """What a run starts with.

    :param provenance: where the weights come from, for the checkpoint.
    """

    model: ModelInterface
    trainer: TrainerInterface
    provenance: dict[str, Any]


def new_model(architecture: Architecture, hypers: Mapping[str, Any], info: DatasetInfo) -> Start:
    """A model with random weights."""
    model = architecture.model(hypers["model"], info)
    return Start(model, architecture.trainer(hypers["training"]), {"start": "new"})


def fine_tuned(
    architecture: Architecture,
    hypers: Mapping[str, Any],
    info: DatasetInfo,
    path: str,
    architectures: Sequence[str | Path],
) -> Start:
    """The best weights of another run, with a new optimizer and schedule."""
    checkpoint, origin = load_checkpoint(path, architectures, name=architecture.name)
    _check_architecture(origin, architecture, path)
    model = _model(checkpoint, architecture, "finetune", hypers, info, path)
    best = checkpoint.get("best_epoch")
    log.info("fine-tuning the best weights of %s%s", path, f" (epoch {best})" if best else "")
    provenance = {"start": "finetune", "from": str(path), "of": checkpoint.get("provenance")}
    return Start(model, architecture.trainer(hypers["training"]), provenance)


def restarted(
    restart: Restart, architecture: Architecture, hypers: Mapping[str, Any], info: DatasetInfo
) -> Start:
    """The run of a checkpoint, to go on where it stopped."""
    checkpoint, path = restart.checkpoint, restart.path
    _check_architecture(restart.architecture, architecture, path)
    model = _model(checkpoint, architecture, "restart", hypers, info, path)
    trainer = architecture.trainer.load_checkpoint(checkpoint, dict(hypers["training"]), "restart")
    return Start(model, trainer, {**restart.provenance, "restarted_from": str(path)})


def _check_architecture(origin: Architecture, architecture: Architecture, path: str | Path) -> None:
    if origin.name != architecture.name:
        raise CheckpointError(
            f"this is a checkpoint of {origin.name!r}; the options ask for {architecture.name!r}",
            where=str(path),
            hint="set architecture.name to the checkpoint's",
        )


def _model(
    checkpoint: dict[str, Any],
    architecture: Architecture,
    context: Context,
    hypers: Mapping[str, Any],
    info: DatasetInfo,
    path: str | Path,
) -> ModelInterface:
    """The model in ``checkpoint``; refused if its options or its data are others."""
    model = model_from(checkpoint, architecture, context)
    differences = list(_differences(model.hypers, hypers["model"], "architecture.model"))
    if differences:
        raise CheckpointError.collect(
            [
                Problem(
                    f"{key} is {new!r} in the options and {old!r} in the checkpoint",
                    where=str(path),
                    hint="a trained model keeps its options; train a new one to change them",
                )
                for key, old, new in differences
            ]
        )
    try:
        return model.restart(info)
    except MttError as error:
        found = [one if one.where else one._replace(where=str(path)) for one in error.problems]
        raise type(error).collect(found) from error


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str
) -> list[tuple[str, Any, Any]]:
    rows: list[tuple[str, Any, Any]] = []
    for key in sorted({*old, *new}, key=str):
        before, after = old.get(key), new.get(key)
        if before == after and (key in old) == (key in new):
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            rows += _differences(before, after, f"{prefix}.{key}")
        else:
            rows.append((f"{prefix}.{key}", before, after))
    return rows

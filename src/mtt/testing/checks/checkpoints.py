"""What a checkpoint must restore, and what a model must refuse to continue with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch

from mtt.checkpoint import read, read_archive, upgrade, write, write_archive
from mtt.data.info import DatasetInfo, TargetInfo
from mtt.errors import ArchitectureError
from mtt.interface import Context, ModelInterface, Run
from mtt.testing import systems
from mtt.testing.failure import CheckFailed
from mtt.testing.measure import Measured, agreement
from mtt.testing.subject import Subject, same_weights

CONTEXTS: tuple[Context, ...] = get_args(Context)
TOLERANCE = 1e-12


def check_plain_checkpoint(subject: Subject) -> Iterator[Measured]:
    """``get_checkpoint()`` holds tensors and plain types only, and brings the model back.

    From a checkpoint, and from a light archive.
    """
    content = subject.model().get_checkpoint() | {"architecture_name": subject.architecture.name}
    with tempfile.TemporaryDirectory() as folder:
        path, archive = Path(folder, "model.ckpt"), Path(folder, "model.zip")
        write(path, content)
        write_archive(archive, content)
        checkpoint, kept = read(path), read_archive(archive)
    _check_version(checkpoint, subject)
    yield from _compared(subject, _load(subject, checkpoint, "restart"), "restart")
    yield from _compared(subject, _load(subject, kept, "restart"), "restart, from an archive")


def check_contexts(subject: Subject) -> Iterator[Measured]:
    """What the trainer saves loads in every context, with the same predictions."""
    model = subject.model()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.ckpt")
        trainer = subject.architecture.trainer(subject.training_hypers)
        trainer.run = Run(architecture=subject.architecture.name)
        trainer.save_checkpoint(model, path)
        for context in CONTEXTS:
            checkpoint = upgrade(
                read(path, architecture=subject.architecture.name), subject.architecture
            )
            loaded = _load(subject, checkpoint, context)
            if not same_weights(loaded.state_dict(), model.state_dict()):
                raise CheckFailed(f"loaded to {context}, the weights are others")
            yield from _compared(subject, loaded, context)
            subject.architecture.trainer.load_checkpoint(
                checkpoint, subject.training_hypers, context
            )


def check_restart(subject: Subject) -> Iterator[Measured]:
    """A loaded model continues with the data that it was made for, unchanged."""
    checkpoint = subject.model().get_checkpoint()
    restarted = _load(subject, checkpoint, "restart").restart(subject.info)
    yield from _compared(subject, restarted, "restart(dataset_info)")


def check_restart_refuses(subject: Subject) -> None:
    """A loaded model refuses elements and targets that it does not know."""
    unknown = next(number for number in range(1, 119) if number not in subject.elements)
    other = replace(subject.info, atomic_types=sorted([*subject.elements, unknown]))
    _refused(subject, other, "an element that the model does not know")
    targets = {**subject.info.targets, "mtt::unknown": TargetInfo(quantity="unknown")}
    _refused(subject, subject.info.with_targets(targets), "a target that the model has not")


def _refused(subject: Subject, info: DatasetInfo, what: str) -> None:
    model = _load(subject, subject.model().get_checkpoint(), "restart")
    try:
        model.restart(info)
    except ArchitectureError:
        return
    raise CheckFailed(f"restart(dataset_info) accepts {what}")


def _load(subject: Subject, checkpoint: dict[str, Any], context: Context) -> ModelInterface:
    """Loaded with another state of the generator than when the model was built."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(987)
        loaded: ModelInterface = subject.architecture.model.load_checkpoint(checkpoint, context)
    return loaded


def _check_version(checkpoint: dict[str, Any], subject: Subject) -> None:
    stored = checkpoint["model_ckpt_version"]
    declared = subject.architecture.model.__checkpoint_version__
    if stored != declared:
        raise CheckFailed(
            f"the checkpoint says version {stored}, the class {declared}",
            hint="get_checkpoint(): model_ckpt_version = __checkpoint_version__",
        )


def _compared(subject: Subject, loaded: ModelInterface, how: str) -> Iterator[Measured]:
    structures = systems.ordinary(subject.elements)
    found, wanted = subject.predict(structures, loaded), subject.predict(structures)
    yield from agreement(subject.info, found, wanted, TOLERANCE, f"loaded ({how}), and before")

"""Checkpoints of earlier versions: there is a way to today's, and it is walked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from inspect import getattr_static
from pathlib import Path
from typing import Any, get_args

import torch

from mtt.checkpoint import read, upgrade
from mtt.checkpoint.format import MODEL_VERSION, TRAINER_VERSION
from mtt.checkpoint.upgrade import folder_steps
from mtt.interface import Context, ModelInterface, TrainerInterface
from mtt.mlip import MLIPModel
from mtt.testing import systems
from mtt.testing.failure import CheckFailed, DoesNotApply
from mtt.testing.measure import Measured, compared
from mtt.testing.predictions import predictions
from mtt.testing.subject import Subject
from mtt.training import MLIPTrainer

CONTEXTS: tuple[Context, ...] = get_args(Context)
TOLERANCE = 1e-10


def check_upgrades(subject: Subject) -> Iterator[Measured]:
    """Every earlier version has a step to the next, and stored checkpoints load everywhere.

    Stored ones are those of :attr:`Subject.checkpoints`. If ``NAME.json`` is beside
    ``NAME.ckpt``, predictions for ``systems.ordinary`` must be those it holds:
    ``{context: [{"values": …, "forces": …, "strain": …}, …]}`` of the first energy.
    """
    model, trainer = subject.architecture.model, subject.architecture.trainer
    versions = model.__checkpoint_version__, trainer.__checkpoint_version__
    if versions == (1, 1) and not subject.checkpoints:
        raise DoesNotApply("there are no earlier versions, and no stored checkpoints")
    missing = [*_missing("model", model, MLIPModel), *_missing("trainer", trainer, MLIPTrainer)]
    if missing:
        raise CheckFailed(f"upgrade.py has no {', '.join(missing)}")
    covered: set[int] = set()
    for path in subject.checkpoints:
        covered.add(read(path)[MODEL_VERSION])
        yield from _load(subject, path)
    bare = sorted(set(range(1, versions[0])) - covered)
    if bare and subject.architecture.state == "stable":
        raise CheckFailed(f"no checkpoint is stored of version {', '.join(map(str, bare))}")


def _missing(
    kind: str, owner: type[ModelInterface | TrainerInterface], base: type
) -> Iterator[str]:
    """Steps that the chain of the base class will not find; others go their own way."""
    if getattr_static(owner, "upgrade_checkpoint") is not getattr_static(
        base, "upgrade_checkpoint"
    ):
        return
    steps = folder_steps(owner)
    for version in range(1, owner.__checkpoint_version__):
        name = f"{kind}_{version}_to_{version + 1}"
        if name not in steps:
            yield name


def _load(subject: Subject, path: Path) -> Iterator[Measured]:
    architecture = subject.architecture
    beside = path.with_suffix(".json")
    stored: dict[str, Any] = json.loads(beside.read_text()) if beside.exists() else {}
    for context in CONTEXTS:
        checkpoint = upgrade(read(path, architecture=architecture.name), architecture)
        model = architecture.model.load_checkpoint(checkpoint, context)
        if TRAINER_VERSION in checkpoint:
            architecture.trainer.load_checkpoint(checkpoint, subject.training_hypers, context)
        info = model.dataset_info
        structures = systems.ordinary([int(number) for number in info.atomic_types])
        found = predictions(model, structures)
        energy = next((name for name, target in info.targets.items() if target.is_energy), "")
        wanted = stored.get(context, stored.get("export", [])) if energy else []
        for one, numbers in zip(found, wanted, strict=False):
            for part, values in numbers.items():
                expected = torch.tensor(values, dtype=torch.float64)
                what = f"{part} of {energy}, now and when it was stored"
                yield compared(what, getattr(one[energy], part), expected, TOLERANCE,
                               where=f"{path.name} to {context}")  # fmt: skip

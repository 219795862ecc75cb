"""Older checkpoints, made to fit the architecture of today."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from mtt._version import __version__
from mtt.checkpoint.format import (
    ARCHITECTURE,
    MODEL_VERSION,
    MTT_VERSION,
    TRAINER_VERSION,
)
from mtt.errors import CheckpointError, MttError

if TYPE_CHECKING:
    from mtt.interface import ModelInterface, TrainerInterface
    from mtt.registry import Architecture

Kind = Literal["model", "trainer"]

_VERSIONS: dict[Kind, str] = {"model": MODEL_VERSION, "trainer": TRAINER_VERSION}


def upgrade(
    checkpoint: dict[str, Any],
    architecture: Architecture,
    *,
    trainer: bool = True,
    where: str = "",
) -> dict[str, Any]:
    """``checkpoint`` as of the versions of ``architecture``; it may be changed in place.

    :param trainer: whether the trainer's part is wanted too (not so for an export).
    :param where: path of the file, for messages.
    :raises CheckpointError: it belongs to another architecture, is newer than this one, or
        too old to be upgraded.
    """
    name = checkpoint[ARCHITECTURE]
    if name != architecture.name:
        raise CheckpointError(
            f"is a checkpoint of the architecture {name!r}, not of {architecture.name!r}",
            where=where,
            hint=f"use it with `architecture: name: {name}`",
        )
    checkpoint = _upgrade_part(checkpoint, "model", architecture.model, where)
    if trainer and TRAINER_VERSION in checkpoint:
        checkpoint = _upgrade_part(checkpoint, "trainer", architecture.trainer, where)
    return checkpoint


def upgrade_steps(
    checkpoint: dict[str, Any],
    kind: Kind,
    current: int,
    steps: ModuleType | Mapping[str, Any],
) -> dict[str, Any]:
    """The chain that an architecture's ``upgrade_checkpoint`` usually is.

    Calls ``model_1_to_2``, ``model_2_to_3``, ... (or ``trainer_1_to_2``, ...), each of which
    takes a checkpoint of the first version and returns one of the second.

    :param kind: which part to upgrade, ``"model"`` or ``"trainer"``.
    :param current: the class's ``__checkpoint_version__``.
    :param steps: holds the functions: the folder's module ``upgrade``, or a mapping.
    :raises CheckpointError: the checkpoint is newer, or a step does not exist.
    """
    functions = steps if isinstance(steps, Mapping) else vars(steps)
    key = _VERSIONS[kind]
    _refuse_newer(checkpoint, kind, current, "")
    for version in range(checkpoint[key], current):
        step = functions.get(f"{kind}_{version}_to_{version + 1}")
        if step is None:
            raise CheckpointError(
                f"is of {kind} version {version}; this one is {current}, and no way leads "
                f"from {version} to {version + 1}",
                hint="train again, or use the version of mtt that wrote it",
            )
        checkpoint = {**step(checkpoint), key: version + 1}
    return checkpoint


def upgrade_by_folder(
    checkpoint: dict[str, Any], kind: Kind, owner: type[ModelInterface | TrainerInterface]
) -> dict[str, Any]:
    """:func:`upgrade_steps` up to the version of ``owner``, by the steps of its folder."""
    version = owner.__checkpoint_version__
    return upgrade_steps(checkpoint, kind, version, folder_steps(owner))


def folder_steps(owner: type) -> Mapping[str, Any]:
    """Functions of ``upgrade.py`` beside the module of ``owner``, if there is such a file."""
    package = owner.__module__.rpartition(".")[0]
    if not package or find_spec(f"{package}.upgrade") is None:
        return {}
    return vars(import_module(f"{package}.upgrade"))


def _upgrade_part(
    checkpoint: dict[str, Any],
    kind: Kind,
    owner: type[ModelInterface | TrainerInterface],
    where: str,
) -> dict[str, Any]:
    key, current = _VERSIONS[kind], owner.__checkpoint_version__
    _refuse_newer(checkpoint, kind, current, where)
    version = checkpoint[key]
    if version == current:
        return checkpoint
    try:
        upgraded = owner.upgrade_checkpoint(checkpoint)
    except MttError as error:
        problem = error.problems[0]
        raise CheckpointError(problem.what, where=where, hint=problem.hint) from error
    except Exception as error:  # code of an architecture can raise anything
        raise CheckpointError(
            f"its {kind} version {version} could not be upgraded to {current}: {error}",
            where=where,
        ) from error
    if not isinstance(upgraded, dict) or upgraded.get(key) != current:
        raise CheckpointError(
            f"{owner.__name__}.upgrade_checkpoint did not return a checkpoint with "
            f"{key} = {current}",
            where=where,
            hint="this is a mistake in the architecture",
        )
    return upgraded


def _refuse_newer(checkpoint: Mapping[str, Any], kind: Kind, current: int, where: str) -> None:
    version = checkpoint[_VERSIONS[kind]]
    if not isinstance(version, int):
        raise CheckpointError(f"{_VERSIONS[kind]} is {version!r}, not a number", where=where)
    if version > current:
        writer = checkpoint.get(MTT_VERSION)
        raise CheckpointError(
            f"is of {kind} version {version}, newer than the {current} of this architecture",
            where=where,
            hint=f"it was written with mtt {writer}; this is mtt {__version__}: upgrade mtt "
            "or the architecture"
            if writer
            else "upgrade mtt or the architecture",
        )

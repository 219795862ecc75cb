"""Baselines and scales that the options name by a checkpoint, or by symbols: as numbers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ase.data import chemical_symbols

from mtt import registry
from mtt.baselines.given import by_number
from mtt.data.files.inputs import expanded
from mtt.data.info import DatasetInfo
from mtt.errors import ConfigError, Problem
from mtt.mlip import MLIPModel
from mtt.mlip.finetune.baselines import columns
from mtt.options import Options
from mtt.workflows.run.load_model import load_checkpoint, model_from

log = logging.getLogger(__name__)

_SECTION = "architecture.training"
BASELINE, SCALES = "atomic_baseline", "fixed_scaling_weights"


def with_numbers(
    options: Options,
    architecture: registry.Architecture,
    info: DatasetInfo,
    folders: Sequence[str | Path] = (),
) -> Options:
    """``options`` with ``atomic_baseline`` and ``fixed_scaling_weights`` in numbers.

    Run folder and checkpoints then hold the numbers, and a restart does not need the file that
    they come from. Options of trainers that are not the platform's are left as they are.

    :param info: targets and elements of the data.
    :raises ConfigError: the checkpoint has neither for any target, or has it in another unit.
    :raises CheckpointError: there is no such checkpoint, or it cannot be read.
    """
    training = options.architecture["training"]
    ours = [key for key in (BASELINE, SCALES) if key in architecture.trainer.platform_hypers()]
    found: dict[str, Any] = {}
    for key in ours:
        value = training.get(key)
        if isinstance(value, str):
            found[key] = _from_checkpoint(key, expanded(value), info, folders)
        elif key == BASELINE and isinstance(value, Mapping):
            found[key] = {
                name: by_number(name, one, info.atomic_types) if isinstance(one, Mapping) else one
                for name, one in value.items()
            }
    hypers = {**options.architecture, "training": {**training, **found}}
    return replace(options, architecture=hypers) if found else options


def _from_checkpoint(
    key: str, path: str, info: DatasetInfo, folders: Sequence[str | Path]
) -> dict[str, Any]:
    where = f"{_SECTION}.{key}"
    checkpoint, architecture = load_checkpoint(path, folders)
    model = model_from(checkpoint, architecture, "export")
    if not isinstance(model, MLIPModel):
        what = f"{path} is a model of {architecture.name}, which has no baselines of the platform"
        raise ConfigError(what, where=where, hint="give the numbers themselves")
    theirs = model.dataset_info.targets
    names = [name for name in info.targets if name in theirs]
    if not names:
        what = f"{path} has none of the targets {', '.join(info.targets)}"
        raise ConfigError(what, where=where, hint=f"it has {', '.join(theirs)}")
    problems = [
        Problem(
            f"{name} is in {info.targets[name].unit} in the data and in {theirs[name].unit} in "
            f"{path}",
            where,
            "give the numbers themselves, in the unit of the data",
        )
        for name in names
        if info.targets[name].unit and theirs[name].unit not in ("", info.targets[name].unit)
    ]
    if problems:
        raise ConfigError.collect(problems)
    rest = ", ".join(name for name in info.targets if name not in names)
    taken = f"{key}: {', '.join(names)} from {path}" + (f"; {rest} as usual" if rest else "")
    if key == SCALES:
        log.info("%s", taken)
        return {name: model.scales[name] for name in names}
    shared = [z for z in info.atomic_types if z in model.dataset_info.atomic_types]
    new = [chemical_symbols[z] for z in info.atomic_types if z not in shared]
    log.info("%s%s", taken, f"; those of {', '.join(new)} are fitted" if new else "")
    return {name: _baseline(model, name, shared) for name in names}


def _baseline(model: MLIPModel, name: str, elements: Sequence[int]) -> dict[int, Any]:
    """Numbers by element; a list for a target of several properties."""
    rows = model.composition.values[:, columns(model, name)].tolist()
    table = dict(zip(model.dataset_info.atomic_types, rows, strict=True))
    return {z: table[z][0] if len(table[z]) == 1 else table[z] for z in elements}

"""The options that a run was last trained with, from its folder and its checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ase.data import chemical_symbols

from mtt.mlip import MLIPModel
from mtt.options import load_options, resolve
from mtt.options.metatrain.retired import retired, without_retired
from mtt.options.names import ATOMIC_NUMBERS
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import Architecture
from mtt.training.options.on_restart import ACTS
from mtt.workflows.restart.differences import ABSENT, Difference, differences
from mtt.workflows.run.folder import OPTIONS
from mtt.workflows.run.given import BASELINE, SCALES

log = logging.getLogger(__name__)

LOGGING = ("loggers", "tensorboard", "wandb", "mlflow", "aim", "remote")
FREE = ("device", "print_stats", "final_eval", "report", *LOGGING)
"""Options beside the architecture and the data that a resumed run may change."""

_TRAINING = ("architecture", "training")


def options_in(run: Path, architecture: Architecture) -> dict[str, Any] | None:
    """``options_restart.yaml`` of the run folder, with today's defaults; None where it is missing.

    :raises MttError: it cannot be read, or says what ``architecture`` does not take.
    """
    file = run / OPTIONS
    if not file.is_file():
        return None
    raw = load_options(file)
    with raw.locating():
        name = raw.architecture_name
    if name != architecture.name:
        return {"architecture": {"name": name}}
    return resolve(raw, architecture).to_dict()


def with_checkpoint(
    options: Mapping[str, Any], checkpoint: Mapping[str, Any], architecture: Architecture
) -> dict[str, Any]:
    """``options`` with what a checkpoint says more exactly: its training, its model, its seed.

    An older checkpoint of a run can have been written under other options than the last one.
    """
    section: dict[str, Any] = {"name": architecture.name, **options.get("architecture", {})}
    training = checkpoint.get("train_hypers")
    if isinstance(training, Mapping):
        # an option that is younger than the checkpoint had the effect of its default
        platform = architecture.trainer.platform_hypers()
        folder = architecture.default_hypers["training"] or {}
        defaults = deep_merge(platform, folder)
        training = without_retired(training, retired(platform, folder, architecture.schema))
        fresh = {key: value for key, value in defaults.items() if key not in training}
        finetune = deep_merge(defaults.get("finetune"), training.get("finetune"))
        given = {**training, "finetune": finetune} if isinstance(finetune, dict) else training
        section["training"] = {**fresh, **given}
    model = checkpoint.get("model_hypers")
    if isinstance(model, Mapping) and issubclass(architecture.model, MLIPModel):
        section["model"] = dict(model)
    return {**options, "architecture": section}


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Every value of two sets of options that differs; ``H``, ``1`` and ``"1"`` are one element."""
    return list(differences(by_symbol(old), by_symbol(new)))


def is_same_experiment(old: Mapping[str, Any], new: Mapping[str, Any], seeded: bool) -> bool:
    """Whether one run could continue the other: they train the same model on the same data.

    How long they are and what is written down of them may differ. Numbers that a checkpoint has
    are compared when one of the runs is taken.

    :param seeded: whether ``new`` asks for a seed; otherwise any will do.
    """
    return not any(_matters(one, seeded) for one in changes(old, new))


def stands_by_default(one: Difference) -> bool:
    """Whether it is the loss of a derivative that is there before the data are known."""
    losses = one.path[:2] == _TRAINING and {"loss", "gradients"} <= set(one.path)
    return losses and (one.old is ABSENT or one.new is ABSENT)


def _matters(one: Difference, seeded: bool) -> bool:
    if one.path[0] in FREE or (one.path[0] == "seed" and not seeded):
        return False
    if one.path[2:] in ((BASELINE,), (SCALES,)) and isinstance(one.new, str):
        return False
    if one.path[:2] == _TRAINING and len(one.path) > 2 and ACTS.get(str(one.path[2])) == "any time":
        return False
    return not stands_by_default(one)


def by_symbol(options: Mapping[str, Any]) -> dict[str, Any]:
    """``options`` with the elements of ``atomic_baseline`` by symbol."""
    section = dict(options.get("architecture") or {})
    training = section.get("training")
    if not isinstance(training, Mapping) or not isinstance(training.get(BASELINE), Mapping):
        return dict(options)
    named = {
        name: {_symbol(key): value for key, value in one.items()}
        if isinstance(one, Mapping)
        else one
        for name, one in training[BASELINE].items()
    }
    return {**options, "architecture": {**section, "training": {**training, BASELINE: named}}}


def _symbol(key: Any) -> Any:
    """The element that ``key`` names; what is not one is left to the check of the options."""
    number = int(key) if str(key).isdecimal() and len(str(key)) < 4 else key
    known = isinstance(number, int) and number in ATOMIC_NUMBERS.values()
    return chemical_symbols[number] if known else key

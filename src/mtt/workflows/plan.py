"""What is known before the model exists: options, architecture, data, device, command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mtt.options import Options, RawOptions
from mtt.options.training import BaselineOptions, FinetuneOptions, TrainingOptions, parse
from mtt.options.training.option import definitions
from mtt.registry import Architecture
from mtt.training import MLIPTrainer
from mtt.workflows.finetune.replay.make import Replay
from mtt.workflows.restart.source import Restart
from mtt.workflows.run.datasets import Data
from mtt.workflows.run.record import Command


class Plan(NamedTuple):
    """All that is known before the model exists.

    :param training: the platform's options among those of the trainer.
    :param replay: structures of the kind that a fine-tuning's source was trained on.
    """

    raw: RawOptions
    options: Options
    architecture: Architecture
    data: Data
    restart: Restart | None
    device: torch.device
    dtype: torch.dtype
    output: Path
    folders: Sequence[str | Path]
    command: Command
    training: TrainingOptions
    replay: Replay | None = None


_READ_OF_ALL = (
    *("finetune", "deterministic", "extended_metrics"),
    *(one.key for one in definitions(BaselineOptions)),
)
"""Training options that act outside of a trainer, and so of trainers that are not the platform's
too."""


def training_options(architecture: Architecture, hypers: Mapping[str, Any]) -> TrainingOptions:
    """The platform's options in the training section of ``architecture``; see :class:`Plan`.

    :param hypers: resolved, baselines and scales in numbers.
    :raises ConfigError: one of them is wrong.
    """
    if issubclass(architecture.trainer, MLIPTrainer):
        return parse(hypers)
    given = {key: hypers[key] for key in _READ_OF_ALL if hypers.get(key) is not None}
    known = {one.key for one in definitions(FinetuneOptions)}
    finetune = given.get("finetune")
    if isinstance(finetune, Mapping):
        given["finetune"] = {key: value for key, value in finetune.items() if key in known}
    return parse(given)

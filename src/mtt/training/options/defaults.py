"""The training options: platform defaults, and what is not available."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from mtt.errors import ConfigError, Problem
from mtt.mlip.trainable.options import finetune_problems

SECTION = "architecture.training"
"""Where the options stand in ``options.yaml``; for messages."""


def default_hypers() -> dict[str, Any]:
    """A fresh copy of ``default-hypers.yaml``."""
    return copy.deepcopy(_defaults())


@cache
def _defaults() -> dict[str, Any]:
    text = (files("mtt.training") / "default-hypers.yaml").read_text(encoding="utf-8")
    hypers: dict[str, Any] = yaml.safe_load(text)
    return hypers


@cache
def _schema_text() -> str:
    return (files("mtt.training") / "schema-hypers.json").read_text(encoding="utf-8")


def training_schema() -> dict[str, Any]:
    """The JSON Schema (draft 7) of the options, which folders refer to as ``mtt:training``."""
    schema: dict[str, Any] = json.loads(_schema_text())
    return schema


def check_hypers(hypers: Mapping[str, Any]) -> None:
    """Refuse what the schema allows, for the sake of existing files, but nothing here does.

    :raises ConfigError: one problem for each option that is not available.
    """
    unavailable = {
        "distributed": hypers["distributed"] and "training on several devices",
        "log_separate_blocks": hypers["log_separate_blocks"] and "metrics of separate blocks",
    }
    problems = [
        Problem(
            f"{what} is not available yet",
            where=f"{SECTION}.{key}",
            hint="leave it out",
        )
        for key, what in unavailable.items()
        if what
    ]
    if hypers["batch_atoms"] is not None and hypers["max_atoms_per_batch"] is not None:
        what = "batch_atoms finds what max_atoms_per_batch says"
        problems.append(Problem(what, f"{SECTION}.batch_atoms", "leave one of the two out"))
    problems += finetune_problems(hypers["finetune"])
    if problems:
        raise ConfigError.collect(problems)

"""The training options of the platform as plain values: defaults, and their schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtt.options.metatrain.retired import retired_faults
from mtt.options.schema.validate import packaged
from mtt.options.training import SECTION, TrainingOptions, find_faults
from mtt.options.training.parse import PATH, refuse

__all__ = ["SECTION", "check_hypers", "default_hypers", "training_schema"]


def default_hypers() -> dict[str, Any]:
    """A fresh copy of the defaults, which ``default-hypers.yaml`` shows."""
    return TrainingOptions().to_hypers()


def training_schema() -> dict[str, Any]:
    """The JSON Schema (draft 7) of the options, which folders refer to as ``mtt:training``."""
    schema: dict[str, Any] = packaged("training", "schema-hypers.json")
    return schema


def check_hypers(hypers: Mapping[str, Any]) -> None:
    """Refuse what is wrong, and what older versions knew and nothing here does.

    :raises ConfigError: one problem for each option.
    """
    gone = retired_faults(hypers, ("distributed", "log_separate_blocks"), PATH)
    refuse([*find_faults(hypers), *gone])

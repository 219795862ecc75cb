"""The training options of the platform as plain values: defaults, and their schema."""

from __future__ import annotations

from typing import Any

from mtt.options.schema.validate import packaged
from mtt.options.training import SECTION, TrainingOptions

__all__ = ["SECTION", "default_hypers", "training_schema"]


def default_hypers() -> dict[str, Any]:
    """A fresh copy of the defaults, which ``default-hypers.yaml`` shows."""
    return TrainingOptions().to_hypers()


def training_schema() -> dict[str, Any]:
    """The JSON Schema (draft 7) of the options, which folders refer to as ``mtt:training``."""
    schema: dict[str, Any] = packaged("training", "schema-hypers.json")
    return schema

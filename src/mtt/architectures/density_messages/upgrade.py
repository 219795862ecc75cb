"""Checkpoints of earlier versions of this architecture."""

from typing import Any


def model_1_to_2(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """All radial functions were of equal size."""
    return {**checkpoint, "model_hypers": {**checkpoint["model_hypers"], "radial_decay": 0.0}}


def model_2_to_3(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Nothing was normalised."""
    return {**checkpoint, "model_hypers": {**checkpoint["model_hypers"], "normalize": False}}

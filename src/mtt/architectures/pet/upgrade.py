"""Checkpoints of earlier versions of this architecture."""

from typing import Any


def model_1_to_2(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """There was one formulation of the transformer layer, mtt's own."""
    return {**checkpoint, "model_hypers": {**checkpoint["model_hypers"], "formulation": "mtt"}}

"""Checkpoints of earlier versions of this architecture."""

from typing import Any

import torch


def model_1_to_2(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """All radial functions were of equal size."""
    return {**checkpoint, "model_hypers": {**checkpoint["model_hypers"], "radial_decay": 0.0}}


def model_2_to_3(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Nothing was normalised."""
    return {**checkpoint, "model_hypers": {**checkpoint["model_hypers"], "normalize": False}}


def model_3_to_4(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """``average_neighbors`` was a number of the options, and not among the weights.

    Options files that left it out meant 16, and leave it to the data now.
    """
    average = float(checkpoint["model_hypers"]["average_neighbors"])
    upgraded = dict(checkpoint)
    if average == 16.0:
        hypers = {**checkpoint["model_hypers"], "average_neighbors": "auto"}
        upgraded["model_hypers"] = hypers
    for key in ("model_state_dict", "best_model_state_dict"):
        weights = checkpoint[key]
        if weights is not None:
            dtype = weights["species.weight"].dtype
            upgraded[key] = {**weights, "average_neighbors": torch.tensor(average, dtype=dtype)}
    return upgraded

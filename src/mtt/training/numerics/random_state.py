"""The state of everything random, on every rank."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from mtt.ranks import Ranks, states_of_ranks, stored_by_rank


def rng_state(device: torch.device, ranks: Ranks) -> dict[str, Any]:
    """States of the global generators of torch, ``device``, Python and numpy, of all ranks."""
    return stored_by_rank(ranks.gather(_own_state(device)))


def restore_rng(stored: Mapping[str, Any], device: torch.device, ranks: Ranks) -> None:
    """Set the global generators to what :func:`rng_state` found.

    A rank that there was not draws what the one draws whose number it has, counted round.
    """
    states = states_of_ranks(stored)
    _restore(states[ranks.rank % len(states)], device)


def _own_state(device: torch.device) -> dict[str, Any]:
    version, internal, next_gauss = random.getstate()
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": {"version": version, "internal": torch.tensor(internal), "gauss": next_gauss},
        "numpy": {
            "kind": str(kind),
            "keys": torch.from_numpy(np.asarray(keys).astype(np.int64)),
            "position": int(position),
            "has_gauss": int(has_gauss),
            "gauss": float(gauss),
        },
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def _restore(state: Mapping[str, Any], device: torch.device) -> None:
    torch.set_rng_state(state["torch"])
    python, numpy = state["python"], state["numpy"]
    internal = tuple(python["internal"].tolist())
    random.setstate((python["version"], internal, python["gauss"]))
    np.random.set_state(
        (
            numpy["kind"],
            numpy["keys"].numpy().astype(np.uint32),
            numpy["position"],
            numpy["has_gauss"],
            numpy["gauss"],
        )
    )
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)

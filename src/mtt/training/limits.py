"""What limits the size of a batch, for those who must lower it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtt.data.memory import Remedy
from mtt.training.options.defaults import SECTION


def smaller_batches(hypers: Mapping[str, Any], structures: int) -> Remedy:
    """Which option to lower where a batch of so many structures needs too much memory."""
    if structures == 1:
        hint = "this structure alone is too large: leave it out, or take a smaller model or cutoff"
        return Remedy(hint=hint)
    atoms = hypers["max_atoms_per_batch"]
    if hypers["batch_atoms"] == "auto":
        hint = f"restart with max_atoms_per_batch below {atoms} in its place"
        return Remedy(f"{SECTION}.batch_atoms", hint)
    if atoms is not None:
        return Remedy(f"{SECTION}.max_atoms_per_batch", f"lower it (now {atoms})")
    hint = f"lower it (now {hypers['batch_size']}), or let batch_atoms: auto find what fits"
    return Remedy(f"{SECTION}.batch_size", hint)

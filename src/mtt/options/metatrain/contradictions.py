"""Options of one target that contradict each other."""

from __future__ import annotations

from typing import Any

from mtt.options.kinds import SCALAR
from mtt.options.values import TargetOptions
from mtt.options.yaml.places import Fault, KeyPath


def contradictions(value: dict[str, Any], path: KeyPath, target: TargetOptions) -> list[Fault]:
    """Find contradictions between ``extensive`` and ``type``."""
    written = value.get("extensive")
    here = (*path, "extensive")
    faults = []
    if written is not None and target.sample_kind == "atom":
        faults.append(Fault(here, "is for values of structures", "leave it out"))
    elif written is False and target.quantity == "energy":
        what = "an energy is the sum of the energies of its atoms"
        hint = "leave it out, or call a mean by a name such as mtt::energy_per_atom"
        faults.append(Fault(here, what, hint))
    if target.kind != SCALAR and target.quantity == "energy":
        hint = "leave the type out, or give the target another name and no quantity"
        faults.append(Fault((*path, "type"), "an energy is a scalar", hint))
    return faults

"""Options of one target that contradict each other."""

from __future__ import annotations

import json
from typing import Any

from mtt.options.kinds import SCALAR, kind_fault
from mtt.options.names import TENSORS
from mtt.options.values import TargetOptions
from mtt.options.yaml.places import Fault, KeyPath


def contradictions(value: dict[str, Any], path: KeyPath, target: TargetOptions) -> list[Fault]:
    """Find contradictions between ``extensive`` and ``type``."""
    written = value.get("extensive")
    here = (*path, "extensive")
    faults = []
    if written is not None and target.sample_kind != "system":
        faults.append(Fault(here, "is for values of structures", "leave it out"))
    elif written is False and target.quantity == "energy":
        what = "an energy is the sum of the energies of its atoms"
        hint = "leave it out, or call a mean by a name such as mtt::energy_per_atom"
        faults.append(Fault(here, what, hint))
    if target.kind != SCALAR and target.quantity == "energy":
        hint = "leave the type out, or give the target another name and no quantity"
        faults.append(Fault((*path, "type"), "an energy is a scalar", hint))
    fault = kind_fault(target.kind)
    if fault:
        faults.append(Fault((*path, "type"), *fault))
    elif target.kind.startswith("spherical "):
        faults += _of_irreps(path, target)
    return faults


def _of_irreps(path: KeyPath, target: TargetOptions) -> list[Fault]:
    """Find options that contradict the irreps of a spherical target."""
    parameters = json.loads(target.kind.partition(" ")[2])
    irreps = parameters["irreps"]
    faults = []
    if isinstance(irreps, dict) and target.sample_kind == "system":
        what = "irreps of each element are for values of atoms, or of pairs"
        hint = "write sample_kind: atom, or atom_pair"
        faults.append(Fault((*path, "sample_kind"), what, hint))
    lists = irreps.values() if isinstance(irreps, dict) else [irreps]
    numbered = any("num" in one for degrees in lists for one in degrees)
    if target.num_subtargets != 1 and (numbered or parameters.get("product")):
        what = f"{target.num_subtargets}, where irreps have their own numbers of channels (num)"
        faults.append(Fault((*path, "num_subtargets"), what, "leave it out"))
    return faults


def tensor_faults(name: str, path: KeyPath, target: TargetOptions) -> list[Fault]:
    """Find where a tensor of metatomic is declared as something else than metatomic has it."""
    quantity = name.partition("/")[0]
    if quantity not in TENSORS:
        return []
    sample_kind, rank = TENSORS[quantity]
    kind, _, parameters = target.kind.partition(" ")
    found = json.loads(parameters).get("rank") if parameters and kind == "cartesian" else None
    faults = []
    if found != rank:
        hint = f"write type: {{cartesian: {{rank: {rank}}}}}"
        faults.append(Fault((*path, "type"), f"{quantity} is a tensor of rank {rank}", hint))
    if target.sample_kind != sample_kind:
        of = "each atom" if sample_kind == "atom" else "the structure"
        hint = f"write sample_kind: {sample_kind}"
        faults.append(Fault((*path, "sample_kind"), f"{quantity} is a value of {of}", hint))
    return faults

"""Find where ``aggregation`` and ``readout_rank`` contradict the rest of a target."""

from __future__ import annotations

from typing import Any

from mtt.options.aggregation import AUTO, FULL, LEARNED, MAX, SUM
from mtt.options.kinds import SCALAR
from mtt.options.values import TargetOptions
from mtt.options.yaml.places import Fault, KeyPath


def aggregation_faults(value: dict[str, Any], path: KeyPath, target: TargetOptions) -> list[Fault]:
    """Find where both options contradict the rest of a target.

    :param value: the target as it is written.
    """
    faults = []
    written, rank = target.aggregation, target.readout_rank
    here = (*path, "aggregation")
    extensive = value.get("extensive")
    if written and target.sample_kind != "system":
        faults.append(Fault(here, "is for values of structures", "leave it out"))
    elif written and written != SUM and target.quantity == "energy":
        hint = "leave it out, or call it by a name such as mtt::energy_per_atom"
        faults.append(Fault(here, "an energy is the sum of the energies of its atoms", hint))
    elif written and extensive is not None and extensive is not (written == SUM):
        what = f"aggregation: {written} contradicts extensive: {str(extensive).lower()}"
        faults.append(Fault(here, what, "leave extensive out"))
    elif written in (MAX, LEARNED) and target.kind != SCALAR:
        hint = "write sum or mean"
        faults.append(Fault(here, f"{written} is for scalars, not for vectors and tensors", hint))
    return faults + _rank_faults(rank, (*path, "readout_rank"), target)


def _rank_faults(rank: str | int, here: KeyPath, target: TargetOptions) -> list[Fault]:
    if rank in (AUTO, FULL):
        return []
    if isinstance(rank, str):
        return [Fault(here, f"unknown rank {rank!r}", "write auto, full or an integer")]
    if target.kind != SCALAR:
        return [Fault(here, "is for scalars, not for vectors and tensors", "leave it out")]
    if rank >= target.num_subtargets:
        what = f"a rank of {rank} saves nothing of num_subtargets {target.num_subtargets}"
        return [Fault(here, what, "write a smaller one, or full")]
    return []

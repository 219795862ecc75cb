"""The options ``aggregation`` and ``readout_rank`` of a target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtt.options.kinds import SCALAR
from mtt.options.yaml.places import Fault, KeyPath

if TYPE_CHECKING:
    from mtt.options.values import TargetOptions

SUM, MEAN, MAX, LEARNED = AGGREGATIONS = ("sum", "mean", "max", "learned")
AUTO, FULL = "auto", "full"

_LONG, _RANK = 512, 128
"""Above so many numbers the rank is ``_RANK`` unless an option says otherwise.

The hidden layers before the last one have 32 to 256 numbers here, which bound the rank anyway.
"""


def adds_up(aggregation: str | None, otherwise: bool) -> bool:
    """Whether the value of a structure is a sum.

    :param aggregation: as it is written.
    :param otherwise: the answer where it is not.
    """
    return aggregation == SUM if aggregation else otherwise


def rank_of(option: str | int, numbers: int, kind: str = SCALAR) -> int:
    """Numbers of an atom that the ``numbers`` of a target are made of; 0: of no map.

    :param option: ``readout_rank``.
    :param kind: text of the kind; tensors have no such map.
    """
    if kind != SCALAR or option == FULL:
        return 0
    if option == AUTO:
        return _RANK if numbers > _LONG else 0
    return int(option)


def aggregation_faults(value: dict[str, Any], path: KeyPath, target: TargetOptions) -> list[Fault]:
    """Find where both options contradict the rest of a target.

    :param value: the target as it is written.
    """
    faults = []
    written, rank = target.aggregation, target.readout_rank
    here = (*path, "aggregation")
    extensive = value.get("extensive")
    if written and target.sample_kind == "atom":
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

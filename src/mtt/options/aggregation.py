"""The options ``aggregation`` and ``readout_rank`` of a target."""

from __future__ import annotations

from mtt.options.kinds import SCALAR

SUM, MEAN, MAX, LEARNED = AGGREGATIONS = ("sum", "mean", "max", "learned")
AUTO, FULL = "auto", "full"

_LONG, _RANK = 512, 64
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

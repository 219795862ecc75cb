"""Inputs of models beside the structure, from ``extra_data``: charges, spins, named numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat

from torch import Tensor

from mtt.data.info import DatasetInfo, TargetInfo
from mtt.data.storage.pieces import Column

STATES = ("charge", "spin_multiplicity")
"""Numbers of a structure that have a field of the graph each, and a default."""


def is_number(info: TargetInfo) -> bool:
    """Whether an item of ``extra_data`` is one number for each structure or each atom."""
    return info.shape == (1,)


def named_numbers(info: DatasetInfo) -> list[str]:
    """Items of ``extra_data`` that are :attr:`mtt.Graph.numbers`: all but states and masks."""
    masks = {f"{target}_mask" for target in info.targets}
    return [
        name
        for name, one in info.extra_data.items()
        if is_number(one) and name not in STATES and name not in masks
    ]


def state(
    rows: Mapping[str, Column], info: DatasetInfo, name: str, structures: Tensor, default: float
) -> Tensor | None:
    """[m] float64, a number for each structure from ``extra_data``; None where it has none.

    :param rows: the columns, in which ``structures`` [m] int64 are rows.
    :param default: where a structure has none.
    """
    known = info.extra_data.get(name)
    if known is None or known.per_atom or not is_number(known):
        return None
    return rows[f"extra:{name}"].index_select(0, structures)[:, 0].nan_to_num(default)


def number_inputs(
    rows: Mapping[str, Column], info: DatasetInfo, structures: Tensor, atoms: Tensor
) -> dict[str, Tensor] | None:
    """Named numbers of each structure [m] or each atom [n_atoms], float64; None without any.

    :param rows: the columns, in which ``structures`` [m] and ``atoms`` [n_atoms] int64 are rows.
    """
    found = {
        name: rows[f"extra:{name}"].index_select(
            0, atoms if info.extra_data[name].per_atom else structures
        )[:, 0]
        for name in named_numbers(info)
    }
    return found or None


def cut_numbers(
    found: Mapping[str, Tensor] | None,
    info: DatasetInfo,
    structures: Sequence[int],
    atoms: Sequence[int],
) -> Iterator[dict[str, Tensor] | None]:
    """The named numbers of each of several batches that were gathered at once.

    :param structures: of each batch; so ``atoms``.
    """
    if found is None:
        return repeat(None, len(structures))
    parts = {
        name: values.split(list(atoms if info.extra_data[name].per_atom else structures))
        for name, values in found.items()
    }
    return ({name: parts[name][i] for name in parts} for i in range(len(structures)))

"""The largest of some batches, in words: what needs the most memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from mtt.data.batching.batch import Batch


def describe(batches: Sequence[Batch], source: Callable[[int], str]) -> str:
    """The largest of ``batches``, and the largest structure in it.

    :param source: of a structure by its ``index``.
    """
    batch = max(batches, key=lambda one: one.graph.centers.shape[0])
    atoms = batch.n_atoms.cpu()
    owner = batch.graph.system.cpu()[batch.graph.centers.cpu()]
    pairs = torch.bincount(owner, minlength=len(atoms))
    i = int((atoms + pairs).argmax())
    return (
        f"{counted(len(atoms), int(atoms.sum()))} and {int(pairs.sum())} pairs; the largest has "
        f"{atoms[i]} atoms and {pairs[i]} pairs ({source(int(batch.index[i]))})"
    )


def counted(structures: int, atoms: int) -> str:
    """``a batch of 8 structures with 72 atoms``."""
    what = "structure" if structures == 1 else "structures"
    return f"a batch of {structures} {what} with {atoms} atoms"

"""Statistics of every structure from one pass over the forces."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtt.scanning.tools.structures import Float, Index, Structures


class Forces(NamedTuple):
    """Forces of each structure; atoms without a label do not count."""

    n_labelled: Index  # [n] atoms with a label
    n_zero: Index  # [n] atoms with a force of exactly zero
    largest: Float  # [n] norm of the largest force; NaN without labels
    size: Float  # [n] root of the sum of squared norms
    net: Float  # [n] norm of the sum of all forces; NaN unless every atom has a label
    torque: Float  # [n] of the forces about the centre, by what it could be at most; likewise
    lowest: Float  # [n, 3] least component along each axis; NaN without labels
    highest: Float  # [n, 3] greatest
    extent: Float  # [n, 3] of the positions along each axis


def forces_of(structures: Structures, name: str) -> Forces:
    """The forces of the energy ``name``."""
    n = len(structures)
    counts = np.zeros((2, n), dtype=np.int64)
    numbers = np.full((4, n), np.nan)
    lowest, highest, extent = (np.full((n, 3), np.nan) for _ in range(3))
    for block in structures.blocks(("positions", f"forces:{name}")):
        here = block.structures
        force, positions = block.columns[f"forces:{name}"], block.columns["positions"]
        known = np.asarray(np.isfinite(force).all(axis=1))
        norms = np.linalg.norm(np.where(known[:, None], force, 0.0), axis=1)
        counts[0, here] = block.total(known.astype(np.int64))
        counts[1, here] = block.total((known & (norms == 0.0)).astype(np.int64))
        some = np.asarray(counts[0, here] > 0)
        all_known = counts[0, here] == structures.n_atoms[here]
        centre = block.total(positions) / structures.n_atoms[here][:, None]
        arms = positions - centre[block.owner]
        square = block.total(norms**2)
        numbers[0, here] = np.where(some, block.largest(norms), np.nan)
        numbers[1, here] = np.where(some, np.sqrt(square), np.nan)
        numbers[2, here] = np.linalg.norm(block.total(force), axis=1)
        turning = np.linalg.norm(block.total(np.cross(arms, force)), axis=1)
        at_most = np.sqrt(block.total((arms**2).sum(axis=1)) * square)
        turning = np.divide(turning, at_most, out=np.zeros_like(turning), where=at_most > 0)
        numbers[3, here] = np.where(all_known, turning, np.nan)
        lowest[here] = -block.largest(np.where(known[:, None], -force, -np.inf))
        highest[here] = block.largest(np.where(known[:, None], force, -np.inf))
        extent[here] = block.largest(positions) + block.largest(-positions)
    lowest[counts[0] == 0] = highest[counts[0] == 0] = np.nan
    largest, size, net, torque = numbers
    return Forces(counts[0], counts[1], largest, size, net, torque, lowest, highest, extent)

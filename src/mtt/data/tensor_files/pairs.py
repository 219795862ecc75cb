"""Values of pairs of atoms from the blocks of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from ase.data import chemical_symbols
from numpy.typing import NDArray

from mtt.data.files.raw_frame import RawFrame
from mtt.data.findings import Findings
from mtt.data.frames import Float
from mtt.data.info import TargetInfo
from mtt.data.tensor_files.read import Rows
from mtt.data.tensor_files.values import placed

_TOLERANCE = 0.01  # of the largest component of a target, as of a symmetric tensor
_ITSELF = "values of an atom with itself belong to another target, with sample_kind: atom"

Index = NDArray[np.int64]


def pairs_of(
    rows: Sequence[Rows],
    info: TargetInfo,
    systems: Sequence[RawFrame],
    place: Mapping[int, int],
    findings: Findings,
) -> tuple[list[tuple[Index, Float]], int]:
    """Of every structure the labelled pairs [L, 5], and their values [L, *shape].

    A pair that lacks one number is left out; the second result counts those that have others.

    :param place: number of a structure in the file to its place in ``systems``; others are left
        out.
    """
    kept = [placed(one.samples[:, 0], place) for one in rows]
    samples = [
        np.concatenate([owner[:, None], one.samples[which, 1:]], axis=1)
        for one, (which, owner) in zip(rows, kept, strict=True)
    ]
    every, inverse = np.unique(
        np.concatenate([np.zeros((0, 6), np.int64), *samples]), axis=0, return_inverse=True
    )
    good = _good_pairs(every, systems, findings)
    numbers = _elements(every, systems, good)
    values = _filled(rows, kept, inverse.reshape(-1), len(every), info)
    for one, rows_here in zip(rows, _split(inverse.reshape(-1), samples), strict=True):
        _check_elements(one, rows_here, every, numbers, good, systems, findings)
    own = info.of_kind.own(numbers[:, 0]) & info.of_kind.own(numbers[:, 1], second=True)
    _check_finite(values, every, systems, findings)
    flat = values.reshape(len(every), info.of_kind.size, info.properties)
    some = (~np.isnan(flat) & own[:, :, None]).any(axis=(1, 2)) & good
    whole = ~(np.isnan(flat) & own[:, :, None]).any(axis=(1, 2)) & some
    if info.exchange:
        _check_exchange(flat, own, every, whole, info, systems, findings)
    labelled = [np.flatnonzero((every[:, 0] == i) & whole) for i in range(len(systems))]
    found = [(every[which, 1:], values[which]) for which in labelled]
    return found, int((some & ~whole).sum())


def _filled(
    rows: Sequence[Rows],
    kept: Sequence[tuple[Index, Index]],
    inverse: Index,
    n: int,
    info: TargetInfo,
) -> Float:
    """[n, *shape] of all pairs, NaN where no block has them."""
    start, parts = 0, {}
    for one, (which, _) in zip(rows, kept, strict=True):
        filled = np.full((n, one.values.shape[1]), np.nan)
        filled[inverse[start : start + len(which)]] = one.values[which]
        parts[one.block] = filled
        start += len(which)
    blocks = [
        parts.get(block, np.full((n, block.size * info.properties), np.nan))
        for block in info.of_kind.blocks
    ]
    joined: Float = info.of_kind.joined([torch.from_numpy(one) for one in blocks]).numpy()
    return joined


def _split(inverse: Index, samples: Sequence[Index]) -> list[Index]:
    ends = np.cumsum([len(one) for one in samples])
    return np.split(inverse, ends[:-1]) if len(samples) else []


def _good_pairs(every: Index, systems: Sequence[RawFrame], findings: Findings) -> NDArray[np.bool_]:
    """[n] whether a pair is of two existing atoms, or of an atom and its periodic image."""
    sizes = np.array([len(one.numbers) for one in systems], dtype=np.int64)[every[:, 0]]
    there = ((every[:, 1:3] >= 0) & (every[:, 1:3] < sizes[:, None])).all(axis=1)
    itself = (every[:, 1] == every[:, 2]) & (every[:, 3:] == 0).all(axis=1)
    pbc = np.array([one.pbc for one in systems], dtype=bool).reshape(-1, 3)[every[:, 0]]
    shifted = ((every[:, 3:] != 0) & ~pbc).any(axis=1)
    for row in np.flatnonzero(~there):
        frame = systems[every[row, 0]]
        detail = f" of atoms {every[row, 1]} and {every[row, 2]}, of {len(frame.numbers)} atoms"
        hint = "correct the file: it has to match these structures in this order"
        findings.add(frame, "the .mts file names a pair", detail, hint)
    for row in np.flatnonzero(there & itself):
        detail = f" {every[row, 1]}"
        what = "the .mts file has values of pairs for an atom with itself, atom"
        findings.add(systems[every[row, 0]], what, detail, _ITSELF)
    for row in np.flatnonzero(there & shifted):
        what = "the .mts file has a cell_shift along an axis that is not periodic"
        detail = f": {every[row, 3:].tolist()} of atoms {every[row, 1]} and {every[row, 2]}"
        findings.add(systems[every[row, 0]], what, detail, "set pbc, or correct the file")
    good: NDArray[np.bool_] = there & ~itself & ~shifted
    return good


def _elements(every: Index, systems: Sequence[RawFrame], good: NDArray[np.bool_]) -> Index:
    """[n, 2] atomic numbers of both atoms; 0 of pairs that are not good."""
    sizes = np.array([len(one.numbers) for one in systems], dtype=np.int64)
    first = np.cumsum(sizes) - sizes
    numbers = np.concatenate([np.zeros(0, np.int64), *(one.numbers for one in systems)])
    found = np.zeros((len(every), 2), dtype=np.int64)
    found[good] = numbers[first[every[good, 0]][:, None] + every[good, 1:3]]
    return found


def _check_elements(
    one: Rows,
    here: Index,
    every: Index,
    numbers: Index,
    good: NDArray[np.bool_],
    systems: Sequence[RawFrame],
    findings: Findings,
) -> None:
    """Whether the pairs of a block of two elements are of these."""
    if not one.block.element:
        return
    wanted = np.array([one.block.element, one.block.second])
    wrong = here[good[here] & (numbers[here] != wanted).any(axis=1)]
    for row in wrong:
        names = [chemical_symbols[z] for z in (*wanted, *numbers[row])]
        what = f"the .mts file has a block of {names[0]} and {names[1]}"
        atoms = f"{every[row, 1]} and {every[row, 2]}"
        detail = f" for atoms {atoms}, which are {names[2]} and {names[3]}"
        hint = "correct the file: it has to match these structures in this order"
        findings.add(systems[every[row, 0]], what, detail, hint)


def _check_finite(
    values: Float, every: Index, systems: Sequence[RawFrame], findings: Findings
) -> None:
    infinite = np.isinf(values.reshape(len(every), -1)).any(axis=1)
    for row in np.flatnonzero(infinite):
        detail = f": atoms {every[row, 1]} and {every[row, 2]}"
        hint = "leave out pairs without a label"
        findings.add(systems[every[row, 0]], "infinite values in the .mts file", detail, hint)


def _check_exchange(
    flat: Float,
    own: NDArray[np.bool_],
    every: Index,
    whole: NDArray[np.bool_],
    info: TargetInfo,
    systems: Sequence[RawFrame],
    findings: Findings,
) -> None:
    """Whether labels of (i, j) and (j, i) are what ``exchange`` says, where both are there."""
    opposite = every[:, [0, 2, 1, 3, 4, 5]] * np.array([1, 1, 1, -1, -1, -1])
    order = {tuple(row): i for i, row in enumerate(every.tolist())}
    other = np.array([order.get(tuple(row), -1) for row in opposite.tolist()], dtype=np.int64)
    both = np.flatnonzero(whole & (other >= 0) & whole[other])
    if not len(both):
        return
    places, signs = np.array(info.of_kind.exchange).T
    sign = -1.0 if info.exchange == "antisymmetric" else 1.0
    mirrored = sign * signs[None, :, None] * flat[other[both]][:, places]
    gaps = np.where(own[both][:, :, None], np.abs(flat[both] - mirrored), 0.0).max(axis=(1, 2))
    size = float(np.nanmax(np.abs(flat[both])))
    for row in np.flatnonzero(gaps > _TOLERANCE * size):
        _, first, second, *shift = every[both[row]].tolist()
        image = f" in cell {shift}" if any(shift) else ""
        what = f"the labels are not {info.exchange}, which exchange requires"
        detail = f": atoms {first} and {second}{image} differ from {second} and {first} by "
        detail += f"{gaps[row]:.3g}, the largest value is {size:.3g}"
        hint = "leave exchange out, or correct the labels"
        findings.add(systems[every[both[row], 0]], what, detail, hint)

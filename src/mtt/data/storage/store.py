"""Packed data sets: the columns as a folder of memory-mapped files.

``DIR/dataset.json`` says what the files are; ``DIR/neighbors-CUTOFF/`` holds neighbour lists,
added when a cutoff is first asked for. A packed data set never changes otherwise.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtt.data.info import DatasetInfo
from mtt.data.storage.arrays import ArrayFolder, read_arrays, writing
from mtt.data.storage.blocks import Block
from mtt.data.storage.columns import CHUNK, Columns, Sources, layout
from mtt.data.storage.neighbors import PairBlock, pair_blocks, pairs_in_memory
from mtt.data.storage.pair_labels import pair_targets
from mtt.data.storage.pair_rows import are_opposite, widths_of
from mtt.data.storage.pairs import Pairs, joined
from mtt.errors import DataError
from mtt.stopping import stop_if_asked

DATASET, PAIRS = "an mtt data set", "mtt neighbour lists"
FORMAT_VERSION = 2  # 1 is without weights of structures: all are 1
PAIRS_VERSION = 2  # 1 is without widths and reverse pairs, which are found when it is read


def is_packed(path: Path) -> bool:
    """Whether ``path`` is the folder of a packed data set."""
    # unlike Path.is_file, no error for a name that is too long for a file
    return os.path.isfile(path / "dataset.json")


def write_columns(blocks: Iterable[Block], info: DatasetInfo, folder: Path) -> None:
    """Pack ``blocks`` into ``folder``, holding one of them in memory at a time.

    ``info.atomic_types`` is replaced by the elements that are found.

    :raises DataError: ``folder`` exists or cannot be written, or there is no structure.
    """
    if pair_targets(info):
        names = ", ".join(pair_targets(info))
        hint = "leave them out, and name the .mts file beside the structures in the options"
        raise DataError(f"values of pairs cannot be packed: {names}", where=str(folder), hint=hint)
    found: set[int] = set()
    with writing(folder) as writer:
        n_structures = n_atoms = n_text = 0
        writer.append("offsets", np.zeros(1, np.int64))
        for block in blocks:
            ends = n_atoms + block.n_atoms.cumsum()
            writer.append("offsets", ends)
            sources = Sources.of(block.sources)
            writer.append("source_text", sources.text)
            writer.append("source_ends", sources.ends + n_text)
            for name, array in block.columns.items():
                writer.append(name, array)
            found.update(np.unique(block.columns["numbers"]).tolist())
            n_structures, n_atoms = n_structures + len(ends), int(ends[-1])
            n_text += len(sources.text)
            stop_if_asked()
        if not n_structures:
            raise DataError("there is no structure to pack", where=str(folder))
        writer.header = {
            "format": DATASET,
            "format_version": FORMAT_VERSION,
            "n_structures": n_structures,
            "n_atoms": n_atoms,
            "info": replace(info, atomic_types=tuple(sorted(found))).to_dict(),
        }


def read_columns(folder: Path) -> tuple[Columns, DatasetInfo]:
    """Map the packed data set in ``folder``.

    :raises DataError: it is not a packed data set, or is damaged, or of a newer version.
    """
    stored = read_arrays(folder, DATASET, FORMAT_VERSION)
    try:
        info = DatasetInfo.from_dict(stored.header["info"])
        sizes = int(stored.header["n_structures"]), int(stored.header["n_atoms"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _damaged(folder, f"dataset.json lacks or misstates {error}") from error
    _check_columns(folder, stored, info, *sizes)
    offsets = np.array(stored.arrays["offsets"])
    if sizes[0] < 1 or offsets[0] != 0 or offsets[-1] != sizes[1] or (np.diff(offsets) < 0).any():
        raise _damaged(folder, "its offsets are not those of its atoms")
    found = sum(np.bincount(numbers, minlength=256) for (numbers,) in stored.passes("numbers"))
    if np.flatnonzero(found).tolist() != sorted(info.atomic_types):
        raise _damaged(folder, "its atoms are not of the elements that it names")
    names = [name for name in layout(info) if name in stored.arrays]
    rows = {name: torch.from_numpy(stored.arrays[name]) for name in names}
    rows.setdefault("weights", torch.ones((), dtype=torch.float64).expand(sizes[0]))
    sources = Sources(stored.arrays["source_text"], stored.arrays["source_ends"])
    return Columns(offsets, rows, sources, folder=folder, maps=stored.maps), info


def neighbor_lists(columns: Columns, cutoff: float) -> Pairs:
    """The neighbour lists of all structures of ``columns``, computed when first asked for.

    Those of a packed data set are kept in its folder; where that cannot be written, in the
    system's folder for temporary files, until the process ends.

    :raises DataError: stored lists are damaged, or lists cannot be stored or computed.
    """
    known = columns.pairs.get(cutoff)
    if known is None:
        if columns.parts:
            known = joined([neighbor_lists(part, cutoff) for part in columns.parts])
        elif columns.folder is None:
            known = pairs_in_memory(pair_blocks(columns, cutoff))
        else:
            known = _stored_pairs(columns, columns.folder, cutoff)
        columns.pairs[cutoff] = known
    return known


def _stored_pairs(columns: Columns, packed: Path, cutoff: float) -> Pairs:
    folder = packed / f"neighbors-{cutoff!r}"
    if folder.exists():
        return _read_pairs(folder, columns.n_atoms)
    try:
        _write_pairs(pair_blocks(columns, cutoff), cutoff, folder)
    except DataError as error:
        if folder.exists():  # another process was faster
            return _read_pairs(folder, columns.n_atoms)
        if not isinstance(error.__cause__, OSError):
            raise
        return _unnamed_pairs(columns, cutoff)
    return _read_pairs(folder, columns.n_atoms)


def _unnamed_pairs(columns: Columns, cutoff: float) -> Pairs:
    """Lists in files that are mapped and then removed, so that they end with the process."""
    holder = Path(tempfile.mkdtemp(prefix="mtt-neighbors-"))
    try:
        _write_pairs(pair_blocks(columns, cutoff), cutoff, holder / "pairs")
        return _read_pairs(holder / "pairs", columns.n_atoms)
    finally:
        shutil.rmtree(holder)


def _write_pairs(blocks: Iterable[PairBlock], cutoff: float, folder: Path) -> None:
    with writing(folder) as writer:
        n_pairs, shifted = 0, False
        writer.append("offsets", np.zeros(1, np.int64))
        for block in blocks:
            ends = n_pairs + block.n_pairs.cumsum()
            writer.append("offsets", ends)
            writer.append("centers", block.centers)
            writer.append("neighbors", block.neighbors)
            writer.append("shifts", block.shifts)
            writer.append("widths", block.widths)
            writer.append("reverse", block.reverse)
            shifted = shifted or bool(block.shifts.any())
            n_pairs = int(ends[-1])
        writer.header = {
            "format": PAIRS,
            "format_version": PAIRS_VERSION,
            "cutoff": cutoff,
            "shifted": shifted,
        }


def _read_pairs(folder: Path, n_atoms: NDArray[np.int64]) -> Pairs:
    stored = read_arrays(folder, PAIRS, PAIRS_VERSION)
    if not _are_pairs(stored, n_atoms):
        raise DataError(
            "the neighbour lists are not those of the data set",
            where=str(folder),
            hint="remove this folder; the lists are computed again",
        )
    offsets, widths, reverse = np.array(stored.arrays["offsets"]), None, None
    shifts = torch.from_numpy(stored.arrays["shifts"]) if stored.header["shifted"] else None
    if stored.header["format_version"] > 1:
        widths = stored.arrays["widths"].astype(np.int64)
        reverse = torch.from_numpy(stored.arrays["reverse"])
    return Pairs(
        offsets,
        torch.from_numpy(stored.arrays["centers"]),
        torch.from_numpy(stored.arrays["neighbors"]),
        shifts,
        _widths(stored) if widths is None else widths,
        reverse,
        maps=stored.maps,
    )


def _widths(stored: ArrayFolder) -> NDArray[np.int64]:
    """Of lists that were stored without them."""
    offsets, centers = stored.arrays["offsets"], stored.arrays["centers"]
    found = [np.empty(0, np.int64)]
    for start in range(0, len(offsets) - 1, CHUNK):
        some = offsets[start : start + CHUNK + 1]
        found.append(widths_of(np.diff(some), centers[some[0] : some[-1]]))
        stored.release()
    return np.concatenate(found)


def _are_pairs(stored: ArrayFolder, n_atoms: NDArray[np.int64]) -> bool:
    """Whether the arrays are neighbour lists of structures of ``n_atoms`` atoms."""
    expected = {
        "offsets": ("int64", ()),
        "centers": ("int32", ()),
        "neighbors": ("int32", ()),
        "shifts": ("int16", (3,)),
    }
    for name, (dtype, tail) in expected.items():
        array = stored.arrays.get(name)
        if array is None or array.dtype != dtype or array.shape[1:] != tail:
            return False
    offsets = stored.arrays["offsets"]
    n_pairs = {len(stored.arrays[name]) for name in expected if name != "offsets"}
    n_of_each = np.diff(offsets)
    if (
        not isinstance(stored.header.get("shifted"), bool)
        or len(offsets) != len(n_atoms) + 1
        or offsets[0] != 0
        or (n_of_each < 0).any()
        or n_pairs != {int(offsets[-1])}
    ):
        return False
    start = 0
    for pairs in stored.passes("centers", "neighbors"):
        stop = start + len(pairs[0])
        first, last = np.searchsorted(offsets, [start, stop - 1], side="right") - 1
        n_of_each = np.diff(np.clip(offsets[first : last + 2], start, stop))
        most = np.repeat(n_atoms[first : last + 1], n_of_each)
        if any(((atoms < 0) | (atoms >= most)).any() for atoms in pairs):
            return False
        start = stop
    return stored.header["format_version"] == 1 or _are_rows(stored)


def _are_rows(stored: ArrayFolder) -> bool:
    """Whether what is stored beside valid lists is what they give."""
    widths, reverse = (stored.arrays.get(name) for name in ("widths", "reverse"))
    if widths is None or reverse is None:
        return False
    offsets, shifts = stored.arrays["offsets"], stored.arrays["shifts"]
    if widths.dtype != "int32" or reverse.dtype != "int32":
        return False
    if (widths.shape, reverse.shape) != ((len(offsets) - 1,), (int(offsets[-1]),)):
        return False
    for start in range(0, len(widths), CHUNK):
        ends = offsets[start : start + CHUNK + 1]
        n_pairs, rows = np.diff(ends), slice(ends[0], ends[-1])
        number, centers = reverse[rows].astype(np.int64), stored.arrays["centers"][rows]
        within = (number >= 0) & (number < np.repeat(n_pairs, n_pairs))
        number += np.repeat(ends[:-1] - ends[0], n_pairs)
        if not (
            within.all()
            and are_opposite(centers, stored.arrays["neighbors"][rows], shifts[rows], number)
            and np.array_equal(widths[start : start + CHUNK], widths_of(n_pairs, centers))
        ):
            return False
        stored.release()
    return True


def _check_columns(
    folder: Path, stored: ArrayFolder, info: DatasetInfo, n_structures: int, n_atoms: int
) -> None:
    expected: dict[str, tuple[str, tuple[int, ...]]] = {
        "offsets": ("int64", (n_structures + 1,)),
        "source_ends": ("int64", (n_structures,)),
    }
    specs = layout(info)
    if stored.header["format_version"] == 1:
        specs.pop("weights")
    for name, spec in specs.items():
        expected[name] = (spec.dtype, (n_atoms if spec.per_atom else n_structures, *spec.tail))
    if "source_text" not in stored.arrays or stored.arrays["source_text"].dtype != "uint8":
        raise _damaged(folder, "the array 'source_text' is missing, or no text")
    for name, (dtype, shape) in expected.items():
        array: NDArray[Any] | None = stored.arrays.get(name)
        if array is None:
            raise _damaged(folder, f"the array {name!r} is missing")
        if array.dtype != dtype or array.shape != shape:
            raise _damaged(folder, f"{name!r} is {array.dtype} {array.shape}, not {dtype} {shape}")


def _damaged(folder: Path, what: str) -> DataError:
    return DataError(
        f"is damaged: {what}", where=str(folder), hint="pack the data again with `mtt data pack`"
    )

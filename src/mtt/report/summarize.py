"""From predictions of a sample to what is kept of them: sums, tables, and the worst structures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from mtt.data.labels.units import shown
from mtt.evaluation.quantities import Quantity
from mtt.report.collect import Entries, Limits, Sample
from mtt.report.groups import groups_of
from mtt.report.kept import Kept
from mtt.report.spectra import spectra
from mtt.report.worst import worst_structures

_SEED = 21


def summarize(
    found: Sample,
    totals: Mapping[str, int],
    sets: Mapping[str, Sequence[str]],
    limits: Limits,
    facts: Mapping[str, Any],
    by: str | None = None,
) -> Kept:
    """What the run keeps of ``found``.

    :param totals: structures of each part, of which ``found`` is a sample.
    :param sets: names of the data sets of each part.
    :param facts: further plain values.
    :param by: a key that structures are divided by, whatever its values are.
    """
    files, file, frame = _sources(found.source)
    arrays: dict[str, NDArray[Any]] = {
        "part": np.array(found.part, dtype=np.uint8),
        "set": np.array(found.set, dtype=np.uint16),
        "n_atoms": np.array(found.n_atoms, dtype=np.int32),
        "source": file,
        "frame": frame,
    }
    elements: dict[str, Any] = {}
    groups = groups_of(found, by)
    arrays |= {f"group/{i}": group.codes for i, group in enumerate(groups)}
    random = np.random.default_rng(_SEED)
    for number, quantity in enumerate(found.quantities):
        entries = found.joined(number)
        arrays |= {f"{number}/{k}": v for k, v in _sums(entries, len(found)).items()}
        arrays |= {f"{number}/{k}": v for k, v in _some(entries, found, limits, random).items()}
        elements[quantity.name] = dict(_by_element(entries, found))
    known = {
        "parts": list(found.parts),
        "totals": {name: totals.get(name, 0) for name in found.parts},
        "sets": {name: list(sets.get(name, ())) for name in found.parts},
        "files": files,
        "quantities": [_described(one) for one in found.quantities],
        "elements": elements,
        "groups": [{"name": group.name, "values": group.values} for group in groups],
        "seconds": found.seconds,
        "spectra": spectra(found),
    }
    kept = Kept({**known, **facts}, arrays)
    return Kept({**kept.facts, "worst": worst_structures(kept, found)}, arrays)


def _described(quantity: Quantity) -> dict[str, Any]:
    """A quantity, with the unit that its errors are shown in and the factor to it."""
    known = {key: getattr(quantity, key) for key in ("name", "target", "part", "unit")}
    return {**known, "shown": list(shown(quantity.unit))}


def _sums(entries: Entries, n: int) -> dict[str, NDArray[Any]]:
    """Sums of each structure."""
    error = entries.predicted - entries.reference
    return {
        "squares": np.bincount(entries.row, error**2, n),
        "absolutes": np.bincount(entries.row, np.abs(error), n),
        "count": np.bincount(entries.row, minlength=n).astype(np.int32),
    }


def _some(
    entries: Entries, found: Sample, limits: Limits, random: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Entries at random, at most ``limits.entries`` of each part."""
    part = np.array(found.part)[entries.row] if len(entries.row) else entries.row
    chosen = []
    for number in range(len(found.parts)):
        mine = np.flatnonzero(part == number)
        if len(mine) > limits.entries:
            mine = np.sort(random.choice(mine, limits.entries, replace=False))
        chosen.append(mine)
    keep = np.concatenate(chosen)
    return {
        "structure": entries.row[keep].astype(np.int32),
        "element": entries.element[keep].astype(np.uint8),
        "reference": entries.reference[keep],
        "predicted": entries.predicted[keep],
    }


def _by_element(entries: Entries, found: Sample) -> Iterator[tuple[str, Any]]:
    """Part to element to ``[RMSE, MAE, components]``, in the unit of the quantity."""
    if not len(entries.row) or not entries.element.any():
        return
    part = np.array(found.part)[entries.row]
    error = entries.predicted - entries.reference
    for number, name in enumerate(found.parts):
        rows = {}
        for z in np.unique(entries.element[part == number]).tolist():
            one = error[(part == number) & (entries.element == z)]
            rows[chemical_symbols[z]] = [
                float(np.sqrt(np.mean(one**2))), float(np.mean(np.abs(one))), len(one),
            ]  # fmt: skip
        yield name, rows


def _sources(names: Sequence[str]) -> tuple[list[str], NDArray[Any], NDArray[Any]]:
    """Files, and file and frame of each structure; frame -1 where a name holds none."""
    files: dict[str, int] = {}
    file, frame = [], []
    for name in names:
        path, comma, number = name.rpartition(", frame ")
        known = bool(comma) and number.isdecimal()
        file.append(files.setdefault(path if known else name, len(files)))
        frame.append(int(number) if known else -1)
    return list(files), np.array(file, dtype=np.int32), np.array(frame, dtype=np.int64)

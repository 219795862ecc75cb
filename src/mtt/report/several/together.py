"""Predictions of several runs, on the structures that all of them have predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtt.report.charts.parity import held_out
from mtt.report.differences import deciding_part
from mtt.report.kept import Kept
from mtt.report.run_data import RunData
from mtt.report.several.same_sets import share_set

_PARTS = ("test", "validation")

Mask = NDArray[np.bool_]


class Shown(NamedTuple):
    """What is shown of one run.

    :param place: of the run among all that are compared; it has its colour by it.
    :param structures: [n] which of its predicted structures.
    """

    place: int
    name: str
    kept: Kept
    structures: Mask


class Together(NamedTuple):
    """Predictions of several runs.

    :param part: of the data, ``"test"``; empty where each run shows what it has not trained on.
    :param common: whether the structures of all runs are the same.
    """

    runs: tuple[Shown, ...]
    part: str
    common: bool


class Series(NamedTuple):
    """Components of one quantity of one run, in the unit of the quantity.

    :param number: of the quantity in what the run has kept.
    :param chosen: [k] which of the kept components.
    """

    shown: Shown
    quantity: Mapping[str, Any]
    number: int
    chosen: Mask

    def of(self, name: str) -> NDArray[Any]:
        """``reference``, ``predicted`` or ``element`` of the components."""
        found: NDArray[Any] = self.shown.kept.of(self.number, name)[self.chosen]
        return found

    @property
    def errors(self) -> NDArray[Any]:
        """[k] in the unit that errors are shown in; not finite where a prediction is not."""
        found: NDArray[Any] = self.of("predicted") - self.of("reference")
        return found * float(self.quantity["shown"][1])

    def rmse(self) -> float:
        """Over all components of the shown structures, also those that are not kept one by one."""
        kept, rows = self.shown.kept, self.shown.structures
        count = float(kept.of(self.number, "count")[rows].sum())
        squares = float(kept.of(self.number, "squares")[rows].sum())
        return float(np.sqrt(squares / count)) * float(self.quantity["shown"][1]) if count else 0.0


def together(runs: Sequence[RunData]) -> Together | None:
    """The predictions that the runs have kept; None where fewer than two have kept any.

    Of the first set that all runs are scored on, and of which all have predicted something, these
    structures; a run that had little time may have predicted some of one set alone.
    """
    having = [(i, run) for i, run in enumerate(runs) if _has_predictions(run)]
    if len(having) < 2:
        return None
    own = [run for _, run in having]
    kept = [run.kept for run in own if run.kept is not None]
    part, masks = _same_structures(own, kept)
    found = [
        Shown(i, run.name, run.kept, mask)
        for (i, run), mask in zip(having, masks, strict=True)
        if run.kept is not None
    ]
    return Together(tuple(found), part, bool(part))


def quantities_of(found: Together) -> list[list[Series]]:
    """Each quantity, of all runs that have it in the same unit; those of several runs alone."""
    series: dict[tuple[str, str], list[Series]] = {}
    for shown in found.runs:
        for index, quantity in enumerate(shown.kept.facts["quantities"]):
            structure = shown.kept.of(index, "structure")
            chosen = shown.structures[structure] if len(structure) else np.zeros(0, dtype=bool)
            if chosen.any():
                key = (quantity["name"], quantity["unit"])
                series.setdefault(key, []).append(Series(shown, quantity, index, chosen))
    return [one for one in series.values() if len(one) > 1]


def _same_structures(runs: Sequence[RunData], kept: Sequence[Kept]) -> tuple[str, list[Mask]]:
    """The part, and the structures of it; without a part, what each run was not trained on."""
    for part in dict.fromkeys((deciding_part(runs), *_PARTS)):
        masks = _common(kept, part) if share_set(runs, part) else None
        if masks is not None:
            return part, masks
    return "", [_not_trained_on(one) for one in kept]


def _has_predictions(run: RunData) -> bool:
    return run.kept is not None and bool(run.kept.facts.get("parts"))


def _not_trained_on(kept: Kept) -> Mask:
    found: Mask = held_out(kept, kept.arrays["part"])
    return found


def _common(all_kept: Sequence[Kept], part: str) -> list[Mask] | None:
    """Structures of ``part`` that all runs have predicted; None without any, or where they
    cannot be distinguished by file and frame."""
    names = [_names(kept, part) for kept in all_kept]
    if any(one is None for one in names):
        return None
    known = [one for one in names if one is not None]
    shared = set(known[0]).intersection(*known[1:])
    if not shared:
        return None
    masks = []
    for kept, rows in zip(all_kept, known, strict=True):
        mask = np.zeros(len(kept.arrays["part"]), dtype=bool)
        mask[[rows[name] for name in shared]] = True
        masks.append(mask)
    return masks


def _names(kept: Kept, part: str) -> dict[tuple[str, int, int], int] | None:
    """File, frame and atoms of each structure of ``part`` to its place; None if two are alike."""
    if part not in kept.facts["parts"]:
        return None
    rows = np.flatnonzero(kept.arrays["part"] == kept.facts["parts"].index(part))
    files = [PurePath(name).name for name in kept.facts["files"]]
    arrays = (kept.arrays[name][rows].tolist() for name in ("source", "frame", "n_atoms"))
    found = {
        (files[file], frame, atoms): row
        for file, frame, atoms, row in zip(*arrays, rows.tolist(), strict=True)
    }
    return found if len(found) == len(rows) else None

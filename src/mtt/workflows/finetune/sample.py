"""Predictions and labels of a part of the training set, side by side, before a fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtt.data import Dataset, merge
from mtt.evaluation import Errors, Report, Timing, error_rows, predict
from mtt.evaluation.report import labelled
from mtt.graph import Target
from mtt.interface import ModelInterface

STRUCTURES = 300
"""How many are predicted at most; fewer where they are large."""

ATOMS = 10_000
"""How many atoms the predicted structures have together, about."""

FEWEST = 8
"""Structures that are predicted, where there are so many, however large they are."""

_HOLDERS = 3  # structures for each element that the even choice misses
_BATCH = 16  # structures, and
_BATCH_ATOMS = 1000  # about so many atoms at once


@dataclass(frozen=True)
class Sample:
    """Some structures of the training set, what a model predicts for them, and their labels.

    :param structures: the chosen ones, with the compared targets alone.
    :param total: how many structures the training set has.
    :param predictions: target to predictions of all of them, float64 on the CPU.
    :param report: errors against the labels.
    """

    structures: Dataset
    total: int
    predictions: dict[str, Target]
    report: Report

    @property
    def name(self) -> str:
        """``20 structures of the training set``, or ``300 of 5000 structures …`` of a part."""
        n = len(self.structures)
        some = f"{n} of {self.total}" if n < self.total else f"{n}"
        things = "structure" if self.total == 1 else "structures"
        return f"{some} {things} of the training set"

    def files(self) -> list[str]:
        """The file that each structure is from."""
        sources = [self.structures.source(i) for i in range(len(self.structures))]
        return [source.rpartition(", frame ")[0] for source in sources]


def compare(
    model: ModelInterface,
    datasets: Sequence[Dataset],
    targets: Sequence[str],
    device: torch.device | str = "cpu",
) -> Sample | None:
    """Predict a part of ``datasets`` of bounded size; None where no ``targets`` are asked for.

    ``model`` is on the CPU afterwards. What is chosen follows from the data alone.

    :param targets: those that are compared with their labels.
    """
    whole = merge([one for one in datasets if len(one)])
    if not targets:
        return None
    info = whole.info.with_targets({name: whole.info.targets[name] for name in targets})
    part = whole.keep_targets(info).select(_chosen(whole, [len(one) for one in datasets]))
    size = max(int(part.n_atoms.double().mean()), 1)
    errors, found, seconds = Errors(info, totals=True), _Parts(), 0.0
    batch_size = max(1, min(_BATCH, _BATCH_ATOMS // size))
    for batch in predict(model, part, batch_size=batch_size, device=device):
        errors.update(batch.targets, batch.labels, batch.n_atoms, batch.volumes)
        found.add(batch.targets)
        seconds += batch.seconds
    model.to("cpu")
    timing = Timing(seconds, len(part), int(part.n_atoms.sum()))
    report = Report(labelled(errors), tuple(error_rows(info, errors)), timing)
    return Sample(part, len(whole), found.whole(), report)


class _Parts:
    """Predictions batch by batch."""

    def __init__(self) -> None:
        self._found: dict[str, list[Target]] = {}

    def add(self, targets: dict[str, Target]) -> None:
        for name, target in targets.items():
            self._found.setdefault(name, []).append(target)

    def whole(self) -> dict[str, Target]:
        return {
            name: Target(
                torch.cat([one.values.detach().double().cpu() for one in batches]),
                _joined([one.forces for one in batches]),
                _joined([one.strain for one in batches]),
            )
            for name, batches in self._found.items()
        }


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    known = [one.detach().double().cpu() for one in parts if one is not None]
    return torch.cat(known) if known and len(known) == len(parts) else None


def _chosen(whole: Dataset, lengths: Sequence[int]) -> Tensor:
    """[m] ascending: evenly spread over every data set, with structures of every element."""
    n = len(whole)
    mean = float(whole.n_atoms.double().mean())
    budget = min(n, STRUCTURES, max(FEWEST, int(ATOMS / max(mean, 1.0))))
    if budget == n:
        return torch.arange(n)
    filled = [length for length in lengths if length]
    least = max(1, budget // (2 * len(filled)))
    chosen, start = [], 0
    for length in filled:
        share = min(length, max(least, round(budget * length / n)))
        chosen.append(start + torch.linspace(0, length - 1, share).long())
        start += length
    even = torch.cat(chosen)
    holds = whole.composition(whole.info.atomic_types) > 0
    for k in (~holds[even].any(dim=0) & holds.any(dim=0)).nonzero()[:, 0]:
        chosen.append(holds[:, k].nonzero()[:_HOLDERS, 0])
    indices: Tensor = torch.cat(chosen).unique()
    return indices

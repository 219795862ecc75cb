"""Before a fine-tuning begins: does the model predict what its source predicts?"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mtt.data import Dataset
from mtt.data.info import TargetInfo
from mtt.errors import Problem, TrainingError
from mtt.evaluation.predict import predict
from mtt.graph import Target
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel

log = logging.getLogger(__name__)

STRUCTURES = 8
"""How many are compared at most."""

Predictions = dict[str, list[Target]]


def compare_at_step_zero(
    source: ModelInterface,
    model: ModelInterface,
    counterparts: Mapping[str, str],
    datasets: Sequence[Dataset],
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Compare both on structures of the training set whose elements ``source`` knows.

    :param model: a copy of the new model, with all that may differ for a known reason (new
        baselines, say) put back to what the source has.
    :param counterparts: target of ``model`` to the target of ``source`` that it must equal.
    :param notes: those reasons, in sentences; logged.
    :return: what was found, in plain types, for the provenance.
    :raises TrainingError: predictions differ by more than rounding.
    """
    for note in notes:
        log.info("fine-tuning: %s", note)
    chosen = [one for one in (_known_part(each, source) for each in datasets) if len(one)]
    parts = _share(chosen)
    found: dict[str, Any] = {
        "structures": sum(len(part) for part in parts),
        "differences": {},
        "explained": list(notes),
    }
    if not parts or not counterparts:
        why = "no head" if parts else "no structure of the training set with known elements only"
        log.info("step 0, model against source: nothing to compare, there is %s", why)
        return found
    found["differences"] = _differences(source, model, counterparts, parts)
    log.info(
        "step 0, model against source: on %d structures both predict the same %s; the largest "
        "difference is %.1e",
        found["structures"],
        ", ".join(counterparts),
        max(found["differences"].values()),
    )
    return found


def _differences(
    source: ModelInterface,
    model: ModelInterface,
    counterparts: Mapping[str, str],
    parts: Sequence[Dataset],
) -> dict[str, float]:
    """The largest difference of every part of every target.

    :raises TrainingError: one is larger than rounding.
    """
    before, after = _predictions(source, parts), _predictions(model, parts)
    largest = max(int(part.n_atoms.max()) for part in parts)
    found, problems = {}, []
    for name, old in counterparts.items():
        floor = _size(model, name, model.dataset_info.targets[name], largest)
        for part in ("values", "forces", "strain"):
            pairs = _pairs(before[old], after[name], part)
            if not pairs:
                continue
            difference, size = _compare(pairs, floor if part == "values" else 0.0)
            found[f"{name} {part}"] = difference
            if not difference <= _tolerance(source) * size:  # also for NaN
                problems.append(_problem(name, old, part, difference, size))
    if problems:
        raise TrainingError.collect(problems)
    return found


def _problem(name: str, old: str, part: str, difference: float, size: float) -> Problem:
    what = name if part == "values" else f"{part} of {name}"
    theirs = "" if old == name else f" ({old})"
    return Problem(
        f"step 0: {what} of the fine-tuned model and of its source{theirs} differ by "
        f"{difference:.1e}, of {size:.1e}, for no known reason",
        hint="the architecture keeps what decides predictions outside of its weights and "
        "options, or its extend_elements or head_modules are wrong",
    )


def _known_part(dataset: Dataset, source: ModelInterface) -> Dataset:
    """Structures of elements that ``source`` knows, without their labels, with their inputs."""
    known = dataset.composition([int(z) for z in source.dataset_info.atomic_types]).sum(dim=1)
    kept = dataset.select((known == dataset.n_atoms).nonzero()[:, 0])
    return kept.keep_targets(replace(dataset.info, targets={}))


def _share(datasets: Sequence[Dataset]) -> list[Dataset]:
    """At most ``STRUCTURES`` of all, about as many of each data set, evenly spread."""
    each = -(-STRUCTURES // max(len(datasets), 1))
    parts = []
    for one in datasets[:STRUCTURES]:
        n = min(each, len(one))
        parts.append(one.select(torch.linspace(0, len(one) - 1, n).long()))
    return parts


def _predictions(model: ModelInterface, parts: Sequence[Dataset]) -> Predictions:
    found: Predictions = {}
    for part in parts:
        for batch in predict(model, part):
            for name, target in batch.targets.items():
                found.setdefault(name, []).append(target)
    return found


def _pairs(
    before: Sequence[Target], after: Sequence[Target], part: str
) -> list[tuple[Tensor, Tensor]]:
    both = [(getattr(x, part), getattr(y, part)) for x, y in zip(before, after, strict=True)]
    return [(x.double(), y.double()) for x, y in both if x is not None and y is not None]


def _compare(pairs: Sequence[tuple[Tensor, Tensor]], floor: float) -> tuple[float, float]:
    """The largest difference, and the size that rounding is relative to."""
    difference = max(float((x - y).abs().max()) for x, y in pairs if x.numel())
    size = floor or max(float(x.abs().max()) for x, _ in pairs if x.numel())
    return difference, max(size, 1e-6)


def _size(model: ModelInterface, name: str, target: TargetInfo, n_atoms: int) -> float:
    """How large the network's part of a value is: baselines are exact. 0: not known."""
    if not isinstance(model, MLIPModel):
        return 0.0
    return abs(model.scales[name]) * (1 if target.per_atom else n_atoms)


def _tolerance(model: ModelInterface) -> float:
    """Tolerance for rounding: 4e-10 in float64, 7e-5 in float32."""
    dtypes = [p.dtype for p in model.parameters() if p.is_floating_point()]
    return float(torch.finfo(dtypes[0] if dtypes else torch.float64).eps ** 0.6)

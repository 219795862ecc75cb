"""Before a fine-tuning begins: how far are the predictions from the labels, and why?"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from ase.data import chemical_symbols
from torch import Tensor

from mtt.data import Dataset, DatasetInfo
from mtt.data.labels.units import force_unit, shown
from mtt.errors import DataError, Problem
from mtt.evaluation import Report, Row
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.mlip.finetune.refit import Baselines
from mtt.options.training import TrainingOptions
from mtt.options.training.finetune import SECTION
from mtt.workflows.finetune.notices import Done, Notice, Subject, factor_notice, notices
from mtt.workflows.finetune.offsets import Verdict, force_factor_of, judge
from mtt.workflows.finetune.sample import Sample, compare

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AgainstLabels:
    """Errors of the first predictions, and what they say of the labels.

    :param name: ``20 structures of the training set``.
    :param files: those that they are from.
    :param report: the table, with a row below for each baseline that was refitted.
    :param notices: what the user should know.
    :param facts: all of it in plain types, for the provenance.
    """

    name: str
    files: tuple[str, ...]
    report: Report
    notices: tuple[Notice, ...]
    facts: dict[str, Any]

    @property
    def line(self) -> str:
        """The table in one line."""
        errors = "; ".join(
            f"{row.quantity} {row.rmse:.4g} {row.unit}".rstrip()
            for row in self.report.rows
            if not row.quantity.endswith(" total")
        )
        return (
            f"step 0: {errors or 'no labels'} on {self.name} (RMSE of predictions against labels)"
        )


def compare_with_labels(
    model: ModelInterface,
    source: ModelInterface,
    counterparts: Mapping[str, str],
    datasets: Sequence[Dataset],
    options: TrainingOptions,
    device: torch.device | str = "cpu",
    second: Collection[str] = (),
) -> AgainstLabels | None:
    """Compare, say what comes of it, and refit the baselines of ``model`` as the options ask.

    None where the model has no head of the source. Structures, and so the numbers, follow from
    the data alone.

    :param counterparts: target of ``model`` to the target of ``source`` whose head it has.
    :param options: ``finetune.baseline`` and ``atomic_baseline``.
    :param second: heads that keep the source's reference on replayed structures: their baselines
        are kept.
    :raises DataError: the labels of such a head have another reference.
    """
    sample = compare(model, datasets, list(counterparts), device)
    if sample is None:
        return None
    wish = options.finetune.baseline
    baselines = None
    if isinstance(model, MLIPModel) and isinstance(source, MLIPModel):
        baselines = Baselines(source, model, counterparts, options.given_baselines)
    found = {
        name: _of_target(sample, name, old, model, baselines, "keep" if name in second else wish)
        for name, old in counterparts.items()
    }
    facts = {name: found[name].facts for name in second if name in found}
    _check_reference(facts, model.dataset_info)
    said = [notice for one in found.values() for notice in one.notices]
    rows = [one.row for one in found.values() if one.row is not None]
    report = Report(sample.report.errors, (*sample.report.rows, *rows), sample.report.timing)
    files = tuple(dict.fromkeys(sample.files()))
    stored = {
        "structures": len(sample.structures),
        "of": sample.total,
        "errors": {f"{row.quantity} RMSE {row.unit}".rstrip(): row.rmse for row in report.rows},
        "targets": {name: one.facts for name, one in found.items() if one.facts},
    }
    outcome = AgainstLabels(sample.name, files, report, tuple(said), stored)
    log.info("%s", outcome.line)
    for notice in said:
        log.log(logging.WARNING if notice.warns else logging.INFO, "%s", notice)
    return outcome


def _check_reference(facts: Mapping[str, Mapping[str, Any]], info: DatasetInfo) -> None:
    """Whether replayed labels have the reference of the source, which they are to keep.

    :param facts: of every second head.
    :raises DataError: an offset per element explains how far they are from its predictions.
    """
    problems = []
    for name, one in facts.items():
        if one.get("explained_by_composition"):
            offset = ", ".join(f"{symbol} {shift:+.4g}" for symbol, shift in one["offset"].items())
            unit = info.targets[name].unit
            what = (
                f"labels of {name} minus predictions of the source are {one['mean_residual']:.4g} "
                f"{unit}/atom on average, mostly one number per element ({offset} {unit}): the "
                "replayed labels are not of the source's reference"
            )
            hint = "use labels: source, or the data that the source was trained on"
            problems.append(Problem(what, f"{SECTION}.replay.data", hint))
    if problems:
        raise DataError.collect(problems)


class _Found(NamedTuple):
    """What came of one target.

    :param row: errors with the refitted baseline, if it is.
    """

    notices: list[Notice]
    facts: dict[str, Any]
    row: Row | None = None


def _of_target(
    sample: Sample,
    name: str,
    old: str,
    model: ModelInterface,
    baselines: Baselines | None,
    wish: str,
) -> _Found:
    """Judge the target ``name``, whose head is that of ``old``, and settle its baseline."""
    info = model.dataset_info
    target = info.targets[name]
    title = name if name == old else f"{name} (from {old})"
    said = []
    force = force_factor_of(sample, name, info)
    if force is not None:
        unit = force_unit(target.unit, info.length_unit)
        said.append(factor_notice(f"forces of {title}", force, unit))
    verdict = _verdict(sample, name, model, baselines)
    if verdict is None:
        return _Found(said, {})
    done = _settle(name, verdict, baselines, wish)
    subject = Subject(title, target, info.atomic_types)
    said += notices(subject, verdict, done, wish)
    row = _row(name, subject, verdict) if done == "refitted" else None
    return _Found(said, _facts(verdict, done, info.atomic_types), row)


def _verdict(
    sample: Sample, name: str, model: ModelInterface, baselines: Baselines | None
) -> Verdict | None:
    """None where nothing can be said of one number per element: no labels, no such baseline."""
    info = model.dataset_info
    everything = range(len(info.atomic_types))
    if baselines is None or not isinstance(model, MLIPModel):
        if not info.targets[name].is_energy:
            return None
        return judge(sample, name, everything, [], info, 0.0)
    if not baselines.has_one(name):
        return None
    free = baselines.free(name) or everything
    return judge(sample, name, free, baselines.new(name), info, abs(model.scales[name]))


def _settle(name: str, verdict: Verdict, baselines: Baselines | None, wish: str) -> Done:
    """Change the baseline, or leave it; what the options give stays what it is."""
    if baselines is None:
        return "left"
    if not baselines.free(name):
        return "given"
    if wish == "keep":
        return "kept"
    if wish == "refit" or verdict.explained:
        baselines.add(name, verdict.offset.weights)
        return "refitted"
    baselines.add(name, verdict.fresh.weights)
    return "kept"


def _row(name: str, subject: Subject, verdict: Verdict) -> Row:
    """Errors once the baseline is refitted, of the structures that are not left out too."""
    left: Tensor = verdict.offset.left[verdict.offset.left.isfinite()]
    unit, factor = shown("" if subject.unit == "per atom" else subject.unit)
    rmse, mae = float(left.square().mean().sqrt()), float(left.abs().mean())
    return Row(f"{name}, refitted", factor * rmse, factor * mae, unit, left.numel())


def _facts(verdict: Verdict, done: Done, atomic_types: Sequence[int]) -> dict[str, Any]:
    weights = verdict.offset.weights.tolist()
    return {
        "baseline": done,
        "mean_residual": verdict.shift,
        "rmse": verdict.before,
        "rmse_left": verdict.after,
        "explained_by_composition": verdict.explained,
        "offset": {
            chemical_symbols[int(z)]: row[0] if len(row) == 1 else row
            for z, row in zip(atomic_types, weights, strict=True)
            if any(row)
        },
        "files": dict(verdict.files),
    }

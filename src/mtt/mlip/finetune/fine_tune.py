"""A model for new data from a trained one: weights carried over, the rest made or fitted."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mtt.data.info import DatasetInfo
from mtt.errors import ArchitectureError, ConfigError, Problem, did_you_mean
from mtt.mlip.aggregation.heads import heads_of
from mtt.mlip.finetune.baselines import Tables
from mtt.mlip.finetune.new_inputs import check_kept, check_learnt, new_inputs, scale_new
from mtt.mlip.finetune.refit import check_refit
from mtt.mlip.finetune.rescale import refold_scales
from mtt.mlip.finetune.second_heads import check_target_hypers, partners
from mtt.mlip.finetune.transfer import Transfer, transfer
from mtt.mlip.model import MLIPModel
from mtt.mlip.support import as_known, symbols, target_problems, unit_problems
from mtt.mlip.trainable.depth import factors
from mtt.mlip.trainable.freeze import choose_trainable, noted
from mtt.options.training import TrainingOptions
from mtt.options.training.finetune import SECTION

if TYPE_CHECKING:
    from mtt.data import Dataset

log = logging.getLogger(__name__)

_RESCALED = ("full", "heads", "replay")  # others promise that weights which are frozen stay


class FineTuned(NamedTuple):
    """A model that is ready to be fine-tuned, and what it has of its source.

    :param aligned: a copy of it with the baselines and scales of the source: its predictions
        of ``counterparts`` must be the source's.
    :param counterparts: target to the target of the source that its head comes from.
    :param notes: how it differs from its source, in sentences.
    """

    model: MLIPModel
    aligned: MLIPModel
    counterparts: dict[str, str]
    notes: list[str]


def fine_tune(
    source: MLIPModel,
    hypers: Mapping[str, Any],
    info: DatasetInfo,
    dataset: Dataset,
    options: TrainingOptions,
    replay: Mapping[str, str] | None = None,
) -> FineTuned:
    """A new model for the data of ``info``; ``source`` is not changed.

    It has the targets of the data, and the elements of both. Fresh weights are drawn from
    torch's global generator.

    :param hypers: of the new model: those of the source, but for options of new targets.
    :param dataset: what baselines and scales of new targets and elements are fitted to.
    :param options: ``finetune`` and those of baselines.
    :param replay: second heads, by name, and the target of the source that each one keeps.
    :raises ConfigError: the options do not fit the model or the data.
    :raises ArchitectureError: targets, units or elements that this model cannot get.
    """
    finetune = options.finetune
    known = source.dataset_info
    problems = unit_problems(known, info)
    if problems:
        raise ArchitectureError.collect(problems)
    second = dict(replay or {})
    counterparts = {**_counterparts(known, info, finetune.inherit_heads), **second}
    check_target_hypers(source, hypers, second)
    info = _taken(known, info, counterparts)
    model, done = carried_over(source, hypers, wanted_info(known, info), counterparts)
    scale_new(source, model, dataset)
    notes = _rescaled(model, dataset, counterparts, options)
    check_refit(model, counterparts, finetune.baseline, options.given_baselines)
    carried = model.composition.values.clone(), model.scale.values.clone()
    tables = Tables(source, model, counterparts)
    notes += [*_notes(source, model, counterparts), *tables.fit(dataset, options)]
    fresh = _parameters(model, done.fresh)
    record = choose_trainable(model, finetune, fresh, heads_of(model))
    more = {"replay": partners(counterparts, second)} if second else {}
    model.finetuning = noted(record, finetune, fresh, more)
    _check_growth(model, source, done, finetune.method)
    check_learnt(model, new_inputs(source, model), finetune.method)
    _log_sizes(model, options)
    aligned = copy.deepcopy(model)
    aligned.composition.values, aligned.scale.values = carried
    return FineTuned(model, aligned, counterparts, notes)


def _taken(known: DatasetInfo, info: DatasetInfo, counterparts: Mapping[str, str]) -> DatasetInfo:
    """``info`` with its targets as the source takes those that they come from."""
    taken = {
        name: as_known(known.targets[counterparts[name]], target)
        if name in counterparts
        else target
        for name, target in info.targets.items()
    }
    return info.with_targets(taken)


def carried_over(
    source: MLIPModel,
    hypers: Mapping[str, Any],
    info: DatasetInfo,
    counterparts: Mapping[str, str],
) -> tuple[MLIPModel, Transfer]:
    """A new model with all that ``source`` can give it: weights, baselines, scales.

    :param info: its targets and elements; see :func:`wanted_info`.
    :param counterparts: target to the target of ``source`` that it takes the head of.
    :raises ArchitectureError: see :func:`mtt.mlip.finetune.transfer.transfer`.
    """
    model = type(source)(copy.deepcopy(dict(hypers)), info)
    check_kept(source, model)
    model.metadata = source.metadata
    _remember(source, model)
    model.to(source.dtype)
    done = transfer(source, model, counterparts)
    Tables(source, model, counterparts).carry_over()
    return model, done


def _counterparts(
    known: DatasetInfo, info: DatasetInfo, inherit: Mapping[str, str]
) -> dict[str, str]:
    """Targets with a head in the source, and whose it is."""
    problems = []
    for new, old in inherit.items():
        where = f"{SECTION}.inherit_heads.{new}"
        if new not in info.targets:
            hint = did_you_mean(new, info.targets) or f"they have {', '.join(info.targets)}"
            problems.append(Problem(f"the data have no target {new!r}", where, hint))
        elif new in known.targets:
            hint = "give the target another name, or leave this out"
            problems.append(Problem(f"{new!r} already has a head in the source", where, hint))
        elif old not in known.targets:
            hint = did_you_mean(old, known.targets) or f"it has {', '.join(known.targets)}"
            problems.append(Problem(f"the source has no target {old!r}", where, hint))
        else:
            problems += [
                problem._replace(where=where)
                for problem in target_problems(new, info.targets[new], known.targets[old])
            ]
    if problems:
        raise ConfigError.collect(problems)
    own = {name: name for name in info.targets if name in known.targets}
    return {**own, **inherit}


def wanted_info(known: DatasetInfo, info: DatasetInfo) -> DatasetInfo:
    """Targets of the data, those of the source first and in its order; elements of both."""
    order = [name for name in known.targets if name in info.targets]
    order += [name for name in info.targets if name not in known.targets]
    return replace(
        info,
        length_unit=info.length_unit or known.length_unit,
        atomic_types=tuple(sorted({*known.atomic_types, *info.atomic_types})),
        targets={name: info.targets[name] for name in order},
    )


def _remember(source: MLIPModel, model: MLIPModel) -> None:
    """Give the new model the lists of elements that were known before."""
    before = [int(z) for z in source.dataset_info.atomic_types]
    history = list(source.element_history or [])
    if before != [int(z) for z in model.dataset_info.atomic_types]:
        history.append(before)
    if history:
        model.remember_elements(history)


def _rescaled(
    model: MLIPModel, dataset: Dataset, names: Iterable[str], options: TrainingOptions
) -> list[str]:
    """Move scales that are far from the forces of ``dataset``, but not those of the options."""
    if options.finetune.method not in _RESCALED or not options.scale_targets:
        return []
    return refold_scales(model, dataset, [n for n in names if n not in options.given_scales])


def _notes(source: MLIPModel, model: MLIPModel, counterparts: Mapping[str, str]) -> list[str]:
    notes = []
    for name in model.target_names:
        if name not in counterparts:
            notes.append(f"the head of {name} is new")
        elif counterparts[name] != name:
            old = counterparts[name]
            notes.append(f"{name} begins with the head, baseline and scale of {old}")
    dropped = [name for name in source.target_names if name not in model.target_names]
    if dropped:
        notes.append(f"the data have no {', '.join(dropped)}, so the model no longer predicts it")
    notes += [f"{name} is a new input, without effect so far" for name in new_inputs(source, model)]
    new = set(model.dataset_info.atomic_types) - set(source.dataset_info.atomic_types)
    if new:
        notes.append(f"weights for {symbols(sorted(new))} are new")
    return notes


def _parameters(model: MLIPModel, names: list[str]) -> list[str]:
    own = {name for name, _ in model.named_parameters()}
    return [name for name in names if name in own]


def _check_growth(model: MLIPModel, source: MLIPModel, done: Transfer, method: str) -> None:
    """New elements share tensors with known ones: who freezes those would not learn them."""
    frozen = set() if model.finetuning is None else set(model.finetuning["frozen"])
    plain = {name.replace("parametrizations.", "").removesuffix(".original") for name in frozen}
    stuck = [name for name in done.extended if name in plain]
    if not stuck:
        return
    new = set(model.dataset_info.atomic_types) - set(source.dataset_info.atomic_types)
    raise ConfigError(
        f"{symbols(sorted(new))} would not be learnt: method {method} freezes the weights of all "
        f"elements ({', '.join(stuck)})",
        where=f"{SECTION}.method",
        hint="use method full, or freeze other weights",
    )


def _log_sizes(model: MLIPModel, options: TrainingOptions) -> None:
    finetune = options.finetune
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    trained = sum(n for n, wanted in sizes if wanted)
    layers = [] if model.finetuning is None else model.finetuning["layers"]
    more = f", in corrections of {len(layers)} layers" if layers else ""
    log.info(
        "method %s trains %d of %d parameters%s; learning_rate: %g",
        finetune.method,
        trained,
        sum(n for n, _ in sizes),
        more,
        options.learning_rate,
    )
    if finetune.depth_decay != 1.0:
        rates = factors(model, heads_of(model), finetune.depth_decay)
        learned = {n: f for n, f in rates.items() if model.get_parameter(n).requires_grad}
        parts: dict[float, list[str]] = {}
        for name, factor in learned.items():
            parts.setdefault(factor, []).append(".".join(name.split(".")[:2]))
        said = (f"{f:.3g} ({', '.join(dict.fromkeys(n))})" for f, n in sorted(parts.items()))
        log.info("depth_decay: factors of the learning rate are %s", "; ".join(said))

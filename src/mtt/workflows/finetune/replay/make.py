"""The replayed structures of a fine-tuning, from its options, its data and its source."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from ase.data import chemical_symbols

from mtt.data import Dataset, TargetInfo, read_dataset
from mtt.data.files.inputs import described
from mtt.errors import ConfigError, DataError, MttError
from mtt.mlip import MLIPModel
from mtt.mlip.finetune.second_heads import earlier_heads, second_heads
from mtt.mlip.finetune.second_heads import partners as partners_of
from mtt.options import DatasetOptions, Options, load_eval_options
from mtt.options.training import FinetuneOptions
from mtt.options.training.finetune import SECTION
from mtt.options.training.finetuning.replay import ReplayOptions
from mtt.options.values import DERIVATIVES, GRADIENTS, ReadFrom, TargetOptions
from mtt.registry import Architecture
from mtt.workflows.finetune.replay.choose import (
    Indices,
    at_random,
    farthest_points,
    structure_features,
)
from mtt.workflows.finetune.replay.label import check_labelled, located, of_source, renamed
from mtt.workflows.finetune.replay.units import check_length_unit, check_units
from mtt.workflows.finetune.source import Source, Wanted, read_source
from mtt.workflows.run.datasets import Data

log = logging.getLogger(__name__)

WHERE = f"{SECTION}.replay"
_FEWEST = 2


@dataclass(frozen=True)
class Replay:
    """Structures of the source's kind, labelled.

    :param learned: part of the training; None where the method only measures with them.
    :param held: what forgetting is measured on; part of the validation where some are learned.
    :param heads: name of each label to the target of the source that it is of.
    :param frames: numbers of the structures in the data of the options, by ``replay`` and
        ``replay_held``.
    """

    learned: Dataset | None
    held: Dataset
    heads: Mapping[str, str]
    frames: Mapping[str, list[int]]

    @property
    def second_heads(self) -> dict[str, str]:
        """Heads that the model needs beside those of the data."""
        return {} if self.learned is None else dict(self.heads)


class Asked(NamedTuple):
    """What a replay is made from.

    :param data: of the run, without replayed structures.
    :param run: options of the run; its first data set says what those of the replay leave out.
    """

    finetune: FinetuneOptions
    data: Data
    run: Options
    architecture: Architecture
    folders: Sequence[str | Path]
    device: torch.device
    dtype: torch.dtype

    @property
    def template(self) -> DatasetOptions:
        return self.run.training_set[0]

    @property
    def seed(self) -> int:
        return self.run.seed

    def source(self) -> Source:
        """The model that is fine-tuned."""
        name, hypers = self.finetune.read_from, self.run.architecture["model"]
        assert name is not None, "there is no replay without a source"
        of_run = (self.data.info, self.dtype, self.seed, self.folders)
        return read_source(Wanted(name, self.architecture, hypers, *of_run))

    @property
    def options(self) -> ReplayOptions:
        assert self.finetune.replay is not None
        return self.finetune.replay


def make_replay(asked: Asked) -> Replay:
    """Choose the structures and label them.

    :raises ConfigError: the source is not a model of the platform, or has none of the targets.
    :raises DataError: nothing to choose from, fewer structures than asked for, or labels missing.
    """
    found = asked.source()
    source = found.model
    if not isinstance(source, MLIPModel):
        what = f"{found.origin.name} has no second heads: it does not build on MLIPModel"
        raise ConfigError(what, where=WHERE, hint="leave it out")
    heads, infos = _heads(asked, source)
    candidates = _candidates(asked, source, heads, infos)
    held, learned = _parts(asked, source, heads, candidates.structures)
    chosen = candidates.structures.select(np.concatenate([held, learned]))
    if asked.options.labels == "source":
        chosen = of_source(source, chosen, heads, infos, asked.device)
    else:
        check_labelled(chosen, f"{WHERE}.data")
    order = np.arange(len(chosen))
    numbers = candidates.numbers
    replay = Replay(
        chosen.select(order[len(held) :]) if len(learned) else None,
        chosen.select(order[: len(held)]),
        heads,
        {"replay": numbers[learned].tolist(), "replay_held": numbers[held].tolist()},
    )
    _announce(asked, replay, candidates)
    return replay


def _heads(asked: Asked, source: MLIPModel) -> tuple[dict[str, str], dict[str, TargetInfo]]:
    """Labels and the targets of the source that they are of, and what they are."""
    wanted, known = asked.data.info.targets, source.dataset_info.targets
    inherit = asked.finetune.inherit_heads
    partners: dict[str, str] = {}
    for name in wanted:
        partners.setdefault(inherit.get(name, name), name)
    kept = second_heads(list(known), list(wanted), inherit)
    if not kept:
        what = f"no target of the data begins with a head of the source, which has {_of(known)}"
        hint = f"name it in inherit_heads: {{{next(iter(wanted))}: {next(iter(known))}}}"
        raise ConfigError(what, where=WHERE, hint=hint)
    infos = {name: wanted[partners[old]] for name, old in kept.items()}
    if asked.finetune.method != "replay":
        kept = {partners[old]: old for old in kept.values()}
        return kept, {name: wanted[name] for name in kept}
    if asked.options.labels == "source":
        before = earlier_heads(list(known), kept)
        theirs = partners_of({n: inherit.get(n, n) for n in wanted}, before)
        infos |= {name: wanted[theirs[name]] for name in before}
        kept |= before
    return kept, infos


class _Candidates(NamedTuple):
    structures: Dataset
    numbers: Indices  # of the structures in the file
    total: int


def _candidates(
    asked: Asked, source: MLIPModel, heads: Mapping[str, str], infos: Mapping[str, TargetInfo]
) -> _Candidates:
    """Structures of elements that the training set and the source have."""
    options = _dataset_options(asked, heads)
    try:
        whole = read_dataset(options)
    except DataError as error:
        raise DataError.collect([located(one, WHERE) for one in error.problems]) from error
    check_length_unit(whole, asked.data.info.length_unit, WHERE)
    if asked.options.labels == "file":
        check_units(whole, source, heads, WHERE)
        whole = renamed(whole, {old: head for head, old in heads.items()})
        whole = whole.keep_targets(whole.info.with_targets(_shared(whole, infos)))
    known = set(source.dataset_info.atomic_types)
    shared = [z for z in asked.data.info.atomic_types if z in known]
    within = whole.composition(shared).sum(dim=1) == whole.n_atoms
    numbers = within.nonzero()[:, 0].numpy()
    if not len(numbers):
        symbols = _of(chemical_symbols[z] for z in shared) or "elements that the source knows"
        what = f"none of its {len(whole)} structures consists of {symbols} alone"
        hint = "replay structures whose elements are in the training set and in the source"
        raise DataError(what, where=f"{WHERE}.data ({_name(options)})", hint=hint)
    return _Candidates(whole.select(numbers), numbers, len(whole))


def _shared(whole: Dataset, infos: Mapping[str, TargetInfo]) -> dict[str, TargetInfo]:
    """Labels of the file, with the derivatives that the data have too."""
    return {
        name: replace(one, gradients=tuple(g for g in one.gradients if g in infos[name].gradients))
        for name, one in whole.info.targets.items()
    }


def _dataset_options(asked: Asked, heads: Mapping[str, str]) -> DatasetOptions:
    """How the data are read: structures alone, or with labels by the names of the source."""
    given, labelled = asked.options.data, asked.options.labels == "file"
    assert given is not None
    section: dict[str, Any] = (
        dict(given) if isinstance(given, Mapping) else {"systems": {"read_from": given}}
    )
    own = "targets" in section
    try:
        (options,) = load_eval_options(section)
    except MttError as error:
        raise type(error).collect([located(one, WHERE) for one in error.problems]) from error
    unit = options.systems.length_unit or asked.template.systems.length_unit
    options = replace(options, systems=replace(options.systems, length_unit=unit))
    if not labelled:
        return options
    targets = options.targets if own else _as_in_training(asked, heads, options.systems.read_from)
    lacking = [old for old in heads.values() if old not in targets]
    if lacking:
        what = f"has no {_of(lacking)}, which labels: file asks for"
        hint = "name the labels as the source does, or use labels: source"
        raise ConfigError(what, where=f"{WHERE}.data.targets", hint=hint)
    return replace(options, targets={old: targets[old] for old in heads.values()})


def _as_in_training(
    asked: Asked, heads: Mapping[str, str], read_from: ReadFrom
) -> dict[str, TargetOptions]:
    """Labels under the keys of the training set, in the file of the replay."""
    inherit, found = asked.finetune.inherit_heads, {}
    for name, target in asked.template.targets.items():
        old = inherit.get(name, name)
        if old in heads.values() and old not in found:
            moved = {
                key: replace(section, read_from=read_from)
                for key in (*GRADIENTS, *DERIVATIVES)
                if (section := getattr(target, key)) is not None
            }
            found[old] = replace(target, read_from=read_from, **moved)
    return found


def _parts(
    asked: Asked, source: MLIPModel, heads: Mapping[str, str], structures: Dataset
) -> tuple[Indices, Indices]:
    """Numbers of the structures that are held, and of those that are learned."""
    n, options = len(structures), asked.options
    trained = sum(len(one) for one in asked.data.training)
    number = min(n, trained) if options.number is None else options.number
    if number > n:
        what = f"{number} are asked for, and {n} structures of data have known elements only"
        raise DataError(what, where=f"{WHERE}.number", hint=f"ask for at most {n}, or leave it out")
    if asked.finetune.method != "replay":
        return at_random(n, number, asked.seed), np.zeros(0, dtype=np.int64)
    if number < _FEWEST:
        what = "one structure cannot be learned and held at once"
        raise DataError(what, where=f"{WHERE}.number", hint=f"give at least {_FEWEST} structures")
    n_held = min(max(1, round(options.held * number)), number - 1)
    held = at_random(n, n_held, asked.seed)
    rest = np.setdiff1d(np.arange(n), held)
    n_learned = number - n_held
    if options.select == "random" or n_learned == len(rest):
        return held, rest[at_random(len(rest), n_learned, asked.seed)]
    target = next(iter(heads.values()))
    features = structure_features(source, target, structures.select(rest), asked.device)
    source.to("cpu")
    return held, rest[farthest_points(features, n_learned, asked.seed)]


def _announce(asked: Asked, replay: Replay, candidates: _Candidates) -> None:
    options = asked.options
    labels = "the source predicts their labels" if options.labels == "source" else "own labels"
    n_learned = 0 if replay.learned is None else len(replay.learned)
    kept = ", ".join(f"{head} (the source's {old})" for head, old in replay.heads.items())
    done = (
        f"{n_learned} are learned with weight {options.weight:g} ({options.select}), "
        f"{len(replay.held)} are held"
        if n_learned
        else f"{len(replay.held)} are predicted before and after, none is learned"
    )
    log.info(
        "replay: %d of %d structures of %s have elements of the training set only; %s; %s: %s",
        len(candidates.structures),
        candidates.total,
        "data" if isinstance(options.data, Mapping) else described(options.data or ""),
        done,
        labels,
        kept,
    )


def _name(options: DatasetOptions) -> str:
    return described(options.systems.read_from)


def _of(names: Any) -> str:
    return ", ".join(names)

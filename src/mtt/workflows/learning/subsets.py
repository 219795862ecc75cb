"""Nested subsets of the training set: options for each size, with the same validation and test."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mtt.data import merge
from mtt.errors import ConfigError
from mtt.options import DatasetOptions, Options
from mtt.options.values import Part
from mtt.workflows.plan import Plan


class Subset(NamedTuple):
    """One size.

    :param options: of its run, whose paths do not depend on the folder.
    """

    n: int
    options: Options


def subsets(plan: Plan, sizes: Sequence[int], *, equal_steps: bool) -> list[Subset]:
    """Options for each of ``sizes``, ascending; each subset holds all smaller ones.

    The first structures are such that every element is among them.

    :param equal_steps: fewer structures train for more epochs, so that all sizes take as many
        optimizer steps as the largest.
    :raises ConfigError: a size is larger than the training set.
    """
    largest = sum(map(len, plan.data.training))
    wrong = [n for n in sizes if not 1 <= n <= largest]
    if wrong:
        what = f"{', '.join(map(str, wrong))} structures are not in the training set of {largest}"
        raise ConfigError(what, where="--sizes", hint="validation and test set are held out")
    order = _order(plan)
    chosen = sorted(set(sizes))
    epochs = plan.options.architecture["training"].get("num_epochs")
    found = []
    for n in chosen:
        factor = chosen[-1] / n if equal_steps else 1.0
        own = None if epochs is None else max(1, math.ceil(epochs * factor))
        found.append(Subset(n, _options(plan, order[:n], own)))
    return found


def _order(plan: Plan) -> list[tuple[int, int]]:
    """All structures of the training sets, shuffled: number of the set, place in it."""
    places = [(k, i) for k, dataset in enumerate(plan.data.training) for i in range(len(dataset))]
    shuffled = np.random.default_rng(plan.options.seed).permutation(len(places))
    whole = merge(plan.data.training)
    there = whole.composition(plan.data.info.atomic_types).numpy()[shuffled] > 0
    first = {int(column.argmax()) for column in there.T if column.any()}
    order = [*sorted(first), *(i for i in range(len(places)) if i not in first)]
    return [places[shuffled[i]] for i in order]


def _options(plan: Plan, chosen: Sequence[tuple[int, int]], epochs: int | None) -> Options:
    options, indices = plan.options, plan.data.indices
    sets = options.training_set
    assert isinstance(sets, list)
    training = []
    for k, dataset in enumerate(sets):
        mine = sorted(indices["training"][k][i] for set_, i in chosen if set_ == k)
        if mine:
            training.append(_of(dataset, mine))
    hypers = options.architecture["training"]
    if epochs is not None:
        hypers = {**hypers, "num_epochs": epochs}
    architecture = {
        **options.architecture,
        "atomic_types": list(plan.data.info.atomic_types),
        "training": hypers,
    }
    return replace(
        options,
        architecture=_with_paths(architecture),
        training_set=training,
        validation_set=_part(options.validation_set, sets, indices["validation"]),
        test_set=_part(options.test_set, sets, indices["test"]) if plan.data.test else 0.0,
        final_eval=True,
    )


def _part(part: Part, sets: Sequence[DatasetOptions], indices: Sequence[Sequence[int]]) -> Part:
    """The same structures for every size, named by their places in the files."""
    if isinstance(part, list):
        return [_of(dataset, dataset.indices) for dataset in part]
    pairs = zip(sets, indices, strict=True)
    held = [_of(dataset, list(mine)) for dataset, mine in pairs if mine]
    return held or 0.0


def _of(dataset: DatasetOptions, indices: list[int] | None) -> DatasetOptions:
    """``dataset`` with absolute paths and these structures of its files."""

    def section(one: Any) -> Any:
        changed = {"read_from": _absolute(one.read_from)}
        for name in ("forces", "stress", "virial"):
            if getattr(one, name, None) is not None:
                changed[name] = section(getattr(one, name))
        return replace(one, **changed)

    return replace(
        dataset,
        systems=section(dataset.systems),
        targets={name: section(one) for name, one in dataset.targets.items()},
        extra_data={name: section(one) for name, one in dataset.extra_data.items()},
        indices=indices,
    )


def _absolute(read_from: Any) -> Any:
    if not isinstance(read_from, str):
        return [_absolute(one) for one in read_from]
    return read_from if read_from.startswith(("~", "$")) else os.path.abspath(read_from)


def _with_paths(values: Any) -> Any:
    """``values`` with absolute paths for texts that name existing files."""
    if isinstance(values, dict):
        return {key: _with_paths(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_with_paths(value) for value in values]
    if isinstance(values, str) and os.sep in values and os.path.exists(values):
        return os.path.abspath(values)
    if isinstance(values, str) and os.path.splitext(values)[1] and os.path.isfile(values):
        return os.path.abspath(values)
    return values

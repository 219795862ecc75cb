"""How far structures are from those that were trained on, in the features of the model.

Features are what the last layer of a head sees, averaged over the atoms of a structure (see
:mod:`mtt.mlip.trainable.features`). A distance is the root mean square over the features, each in
units of its standard deviation, to the nearest training structure.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.data import Dataset, merge
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.mlip.batches import batches_of
from mtt.mlip.trainable.features import features_of, last_weights
from mtt.report.collect import Limits, Sample, drawn
from mtt.stopping import stop_if_asked

TRAINING = "training"
TOO_LONG = "Distances were left out: they would exceed the time limit of this report."
MOST = 2000
"""Structures of each side."""

_BATCH = 16
_MOST_ATOMS = 100_000
_SEED = 22
_FEWEST, _FEWEST_KNOWN = 10, 50  # structures that are compared, and with which
_FEW = "Distances were left out: only {} of the predicted structures were not trained on."
_NO_FEATURES = "Distances are not available: the architecture {}."
_USUAL = 95  # per cent of the training structures have another one within the usual distance


def distances(
    model: ModelInterface,
    found: Sample,
    training: Sequence[Dataset],
    seconds: float,
    device: torch.device | str = "cpu",
) -> tuple[dict[str, Any], NDArray[Any]]:
    """Facts as plain values, and the distance of each structure of ``found``, NaN if not computed.

    The facts have ``problem``, a sentence, where there are no distances; else ``reference`` (how
    many structures were drawn from ``whole``, those of the training), ``target`` (whose features
    they are), and ``usual``: the distance within which 95 % of the training structures have
    another one.

    :param training: the data sets that were trained on.
    :param seconds: after which no further batch begins.
    """
    values = np.full(len(found), np.nan)
    held = [i for i, part in enumerate(found.part) if found.parts[part] != TRAINING]
    if not held or not any(map(len, training)):
        return {"problem": "There are no structures that were not trained on."}, values
    if len(held) < _FEWEST:
        return {"problem": _FEW.format(len(held))}, values
    if not isinstance(model, MLIPModel):
        return {"problem": _NO_FEATURES.format("has a forward() which shows no features")}, values
    names = model.energy_names or model.target_names
    target, weights = next(
        ((name, w) for name in names if (w := last_weights(model, name))), ("", [])
    )
    if not weights:
        return {"problem": _NO_FEATURES.format("does not say what its last layer is")}, values
    order = np.random.default_rng(_SEED).permutation(held)[:MOST]
    whole = merge([one for one in training if len(one)])
    reference = whole.select(drawn([whole], Limits(structures=MOST, atoms=_MOST_ATOMS)))
    sides = [
        _features(model, target, weights, one, device)
        for one in (reference, _together([found.members[i] for i in order]))
    ]
    known, far = _in_turn(sides, seconds)
    if len(far) < _FEWEST or len(known) < min(_FEWEST_KNOWN, len(reference)) or len(known) < 2:
        return {"problem": TOO_LONG}, values
    a, b = _scaled(torch.stack(known), torch.stack(far))
    values[order[: len(far)]] = _nearest(b, a)
    usual = float(np.percentile(_nearest(a, a, others=True), _USUAL))
    whole_facts = {"reference": len(known), "whole": len(whole), "usual": usual}
    return {"target": target, **whole_facts}, values


def _features(
    model: MLIPModel,
    target: str,
    weights: Sequence[Tensor],
    dataset: Dataset,
    device: torch.device | str,
) -> Iterator[list[Tensor]]:
    """Batches of features, in the order of the data set."""
    model.to(device)
    model.eval()
    for batch in batches_of(model, dataset, _BATCH):
        stop_if_asked()
        yield features_of(model, target, batch.graph, weights)


def _in_turn(sides: Sequence[Iterator[list[Tensor]]], seconds: float) -> list[list[Tensor]]:
    """All of each side, or what comes within the time, as much of each."""
    begin = time.perf_counter()
    rows: list[list[Tensor]] = [[] for _ in sides]
    waiting = dict(enumerate(sides))
    while waiting and time.perf_counter() - begin < seconds:
        for number, side in [*waiting.items()]:
            batch = next(side, None)
            if batch is None:
                del waiting[number]
            else:
                rows[number] += batch
    return rows


def _together(members: Sequence[tuple[Dataset, int]]) -> Dataset:
    """Structures of several data sets as one, in this order."""
    sets = [*{id(dataset): dataset for dataset, _ in members}.values()]
    starts = np.cumsum([0, *map(len, sets)])
    first = {id(dataset): int(start) for dataset, start in zip(sets, starts, strict=False)}
    return merge(sets).select([first[id(dataset)] + i for dataset, i in members])


def _scaled(*sides: Tensor) -> list[Tensor]:
    """Features in units of their standard deviation over all rows; constant ones are left out."""
    every = torch.cat(sides)
    deviations = every.std(dim=0, correction=0)
    varied = deviations > 1e-12 * every.abs().amax(dim=0)
    n = max(1, int(varied.sum()))
    return [one[:, varied] / deviations[varied] / n**0.5 for one in sides]


def _nearest(points: Tensor, of: Tensor, *, others: bool = False) -> NDArray[Any]:
    """[n] distance of each point to the nearest one.

    :param others: the same point, at the same place, does not count.
    """
    away = torch.cdist(points, of)
    if others:
        away.fill_diagonal_(float("inf"))
    found: NDArray[Any] = away.amin(dim=1).numpy()
    return found

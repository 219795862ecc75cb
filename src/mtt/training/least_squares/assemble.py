"""One pass over the training set: every batch adds its rows to the equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mtt.graph import Target
from mtt.mlip.linear import Columns, LinearMLIPModel
from mtt.mlip.systems import seen_pairs
from mtt.ranks import Ranks
from mtt.training.least_squares.equations import NormalEquations
from mtt.training.least_squares.rows import rows_of
from mtt.training.losses.loss import Loss

if TYPE_CHECKING:
    from mtt.data import Batch, Loader


def assemble(
    model: LinearMLIPModel,
    loader: Loader,
    loss: Loss,
    free: list[int],
    progress: Callable[[int, int], None],
    ranks: Ranks,
) -> NormalEquations:
    """The equations of all batches, those of the other ``ranks`` too.

    The columns are those of the model's weights, then one per element of ``free``, whose energy
    is sought along with them.

    :param loader: the batches of this rank.
    :param progress: called after each batch with how many are done, and how many there are.
    """
    (name,) = model.target_names
    info = model.dataset_info.targets[name]
    equations = NormalEquations(model.n_weights + len(free), model.device)
    counts = _counts(loader, loss, ranks)
    scale = model.scales[name]
    wanted = {term.part for term in loss.terms if term.weight}
    n_batches = loader.n_batches()
    for number, batch in enumerate(loader.epoch(), start=1):
        if not batch.graph.n_systems:
            continue  # ranks share few structures out
        graph = seen_pairs(batch.graph, model.list_cutoff(), model.cutoff)
        columns = model.columns(
            graph, forces="forces" in wanted, strain=info.has_strain and "strain" in wanted
        )
        columns = _with_elements(columns, batch, free, scale, len(model.dataset_info.atomic_types))
        baseline = {name: _baseline(model, batch, name)}
        for rows in rows_of(loss, counts, batch, columns, baseline, scale):
            equations.add(*rows)
        progress(number, n_batches)
    equations.finish(ranks)
    return equations


def _counts(loader: Loader, loss: Loss, ranks: Ranks) -> dict[str, float]:
    """What the sum of every term is divided by; 0 where no label is there."""
    totals = dict.fromkeys((term.name for term in loss.terms), 0.0)
    for batch in loader.epoch():
        for term, count in zip(loss.terms, loss.counts(batch), strict=True):
            totals[term.name] += float(count)
    totals = dict(zip(totals, ranks.sum_numbers(list(totals.values())), strict=True))
    for term in loss.terms:
        if term.reduction == "sum" and totals[term.name]:
            totals[term.name] = 1.0
    return totals


def _with_elements(
    columns: Columns, batch: Batch, free: list[int], scale: float, n_types: int
) -> Columns:
    """One column more for each element of ``free``: how many of its atoms a structure has."""
    if not free:
        return columns
    graph = batch.graph
    flat = graph.system * n_types + graph.types
    counts = torch.bincount(flat, minlength=graph.n_systems * n_types)
    added = counts.view(graph.n_systems, n_types)[:, free].to(torch.float64) / scale
    parts: list[Tensor | None] = [torch.cat([columns.values, added], dim=1)]
    for one in (columns.forces, columns.strain):
        zeros = None if one is None else one.new_zeros(*one.shape[:-1], len(free))
        parts.append(None if one is None or zeros is None else torch.cat([one, zeros], dim=-1))
    assert parts[0] is not None
    return Columns(parts[0], parts[1], parts[2])


def _baseline(model: LinearMLIPModel, batch: Batch, name: str) -> Target:
    """What is predicted while all weights are zero: composition, ZBL and prior."""
    return model.predict_targets(batch.graph)[name]

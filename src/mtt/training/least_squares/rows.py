"""What the loss asks for, as weighted rows of a linear system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from mtt.errors import ConfigError, Problem
from mtt.graph import Target
from mtt.mlip.linear import Columns
from mtt.options.training import SECTION
from mtt.training.losses.loss import Loss, Term

if TYPE_CHECKING:
    from mtt.data import Batch


class Rows(NamedTuple):
    """Some rows of the system: ω (x·w − y)², added up, is the loss."""

    x: Tensor  # [n, n_columns]
    y: Tensor  # [n]
    roots: Tensor  # [n] √ω, 0 where there is no label


def check_squares(loss: Loss) -> None:
    """:raises ConfigError: terms of the loss that are not squares."""
    problems = [
        Problem(
            f"a model that is solved at once minimises squares, not {term.type}",
            f"{SECTION}.loss.{term.target}" + ("" if term.part == "values" else f".{term.part}"),
            "write mse, or choose an architecture that is trained by steps",
        )
        for term in loss.terms
        if term.type != "mse" and term.weight
    ]
    problems += [
        Problem("a model that is solved at once has one weight for each term", f"{SECTION}.loss")
        for term in loss.terms
        if term.schedule is not None
    ]
    if problems:
        raise ConfigError.collect(problems)


def rows_of(
    loss: Loss,
    counts: Mapping[str, float],
    batch: Batch,
    columns: Columns,
    baseline: Mapping[str, Target],
    scale: float,
) -> Iterator[Rows]:
    """Rows of every term of the loss that has a weight.

    :param counts: name of a term to what its sum over the whole training set is divided by.
    :param columns: of the network, before its scale.
    :param baseline: what is predicted with all weights zero.
    """
    for term in loss.terms:
        part: Tensor | None = getattr(columns, term.part)
        if not term.weight or part is None or not counts[term.name]:
            continue
        label, known = (getattr(one[term.target], term.part) for one in (batch.targets, baseline))
        roots = _roots(term, batch, label) / counts[term.name] ** 0.5
        if term.part == "values":
            label = torch.where(label.isfinite(), label - known, 0.0)
        else:
            label = torch.where(label.isfinite(), label.double() - known.double(), 0.0)
        n_columns = part.shape[-1]
        yield Rows(part.reshape(-1, n_columns) * scale, label.flatten(), roots.flatten())


def _roots(term: Term, batch: Batch, label: Tensor) -> Tensor:
    """√ω of every component, before what the whole training set is divided by."""
    there = label.isfinite().to(torch.float64)
    weight = there.new_full([batch.graph.n_systems], term.weight)
    if batch.weights is not None:
        weight = weight * batch.weights
    if term.per_atom:
        weight = weight / batch.n_atoms.to(torch.float64).square()
    if term.reduction == "structure_mean":
        sums = there.flatten(1).sum(1)
        if term.part == "forces":
            sums = torch.zeros_like(weight).index_add(0, batch.graph.system, sums)
        weight = weight / sums.clamp(min=1.0)
    rows = weight[batch.graph.system] if term.part == "forces" else weight
    return there * rows.sqrt().view(-1, *[1] * (label.dim() - 1)) / term.scale

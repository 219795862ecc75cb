"""Sums and maxima over the errors of one batch; nothing here waits for the device."""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from mtt.evaluation.quantities import Parts
from mtt.graph import Target


class Residual(NamedTuple):
    """Errors of one quantity in one batch."""

    error: Tensor  # [n, ...] float64, 0 where not counted
    counted: Tensor  # bool, of the same shape


class Tally(NamedTuple):
    """What is kept of the errors of k quantities, float64."""

    sums: Tensor  # [k, 3]: sum of squares, sum of absolute values, count
    maxima: Tensor  # [k] largest absolute value, 0 of nothing


def residual(
    part: str, prediction: Target, label: Target, n_atoms: Tensor, volumes: Tensor
) -> Residual | None:
    """Prediction minus label where there is a label; None where a side lacks the part.

    :param part: of :class:`mtt.evaluation.quantities.Quantity`.
    """
    predicted, true = part_of(part, prediction), part_of(part, label)
    if predicted is None or true is None:
        return None
    assert predicted.shape == true.shape, f"{part}: {predicted.shape} against {true.shape}"
    error, counted = predicted.double() - true, true.isfinite()
    if part in ("per atom", "virial", "stress"):
        size = volumes if part == "stress" else n_atoms
        size = size.reshape(-1, *[1] * (error.dim() - 1))
        error = error / size
        if part == "stress":
            counted = counted & size.isfinite() & (size > 0)
    return Residual(torch.where(counted, error, 0.0), counted)


def part_of(part: str, target: Target) -> Tensor | None:
    """The tensor of ``target`` that a quantity looks at."""
    if part == "forces":
        return target.forces
    return target.strain if part in ("stress", "virial", "strain") else target.values


def whole(found: Residual) -> list[Tensor]:
    """Squares, absolute values and count of all components, each one 0-d float64."""
    error = found.error.flatten()
    absolutes = torch.linalg.vector_norm(error, ord=1)
    return [torch.dot(error, error), absolutes, found.counted.sum(dtype=torch.float64)]


def largest(found: Residual) -> Tensor:
    """[1] the largest absolute error, NaN where one is."""
    return found.error.abs().amax().reshape(1) if found.error.numel() else found.error.new_zeros(1)


def by_element(found: Residual, types: Tensor, n_types: int) -> Tally:
    """One row for each element.

    :param types: [n_atoms] int64, in 0 … ``n_types`` - 1.
    """
    sizes = found.error.abs()
    per_atom = torch.stack([_add(found.error.square()), _add(sizes), _add(found.counted)], dim=1)
    sums = per_atom.new_zeros(n_types, 3).index_add(0, types, per_atom)
    worst = sizes.flatten(1).amax(dim=1)
    maxima = worst.new_zeros(n_types).scatter_reduce(0, types, worst, "amax")
    return Tally(sums, maxima)


def by_component(found: Residual, parts: Parts) -> Tally:
    """One row for each of ``parts``: x, y and z of vectors, say.

    The xy of a 3×3 tensor counts the two components off the diagonal, so that the rows share out
    all components.
    """
    error, counted = found.error.flatten(1), found.counted.flatten(1)
    sums = torch.stack(
        [error.square().sum(0), error.abs().sum(0), counted.sum(0, dtype=torch.float64)], dim=1
    )
    maxima = error.abs().amax(dim=0) if len(error) else error.new_zeros(error.shape[1])
    return Tally(
        torch.stack([reduce(torch.add, [sums[i] for i in places]) for _, places in parts]),
        torch.stack([reduce(torch.maximum, [maxima[i] for i in places]) for _, places in parts]),
    )


def cosine(predicted: Tensor, true: Tensor) -> Tally:
    """One row with the sum of the cosines in the place of the absolute values; no maximum.

    Atoms whose label is zero, or lacks a component, have no direction and do not count. A
    predicted force of zero has the cosine 0.
    """
    predicted, true = predicted.double(), true.double()
    length = torch.linalg.vector_norm(true, dim=1)
    counted = length.isfinite() & (length > 0)
    product = (predicted * true).sum(1)
    lengths = length * torch.linalg.vector_norm(predicted, dim=1)
    cosines = torch.where(lengths == 0, 0.0, product / lengths)
    total = torch.where(counted, cosines, 0.0).sum()
    sums = torch.stack([torch.zeros_like(total), total, counted.sum(dtype=torch.float64)])
    return Tally(sums[None], torch.zeros_like(total)[None])


def by_norm(predicted: Tensor, true: Tensor) -> Tally:
    """One row: errors of the norms of vectors and tensors, which no rotation changes.

    :param predicted: [n, *components, properties], as ``true``, NaN where missing.
    """
    norms = [
        torch.linalg.vector_norm(one.double().flatten(1, -2), dim=1) for one in (predicted, true)
    ]
    counted = norms[1].isfinite()
    found = Residual(torch.where(counted, norms[0] - norms[1], 0.0), counted)
    return Tally(torch.stack(whole(found))[None], largest(found))


def _add(components: Tensor) -> Tensor:
    """[n] sums over all but the first dimension."""
    return components.flatten(1).sum(1, dtype=torch.float64)

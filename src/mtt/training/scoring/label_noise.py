"""Which errors can choose the best epoch: decided from the validation labels, before the first.

The decision and the floors follow from the labels, the composition baseline and the precision
alone, none of which changes in a run: the values of all its epochs are comparable, also those
before and after a restart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mtt.evaluation.quantities import Quantity, quantities
from mtt.mlip.finetune.baselines import columns
from mtt.mlip.fitting import counts_of
from mtt.mlip.noise import is_noise, largest

if TYPE_CHECKING:
    from mtt.data import Dataset
    from mtt.mlip import MLIPModel

_DOUBLE = torch.finfo(torch.float64).eps


@dataclass(frozen=True)
class LabelNoise:
    """Noise and size of the validation labels, by quantity (``forces``, ``bulk stress``).

    :param noise: quantities of which all labels are zero or rounding noise.
    :param floors: smallest error that differs from rounding, in the unit of the labels. A
        smaller one, zero above all, counts as this one in a product.
    """

    noise: frozenset[str] = frozenset()
    floors: Mapping[str, float] = field(default_factory=dict)


@dataclass
class _Sizes:
    """Sizes of the labels of one quantity; ``residual``: without their composition baseline."""

    largest: float = float("nan")
    squares: float = 0.0
    residual: float = 0.0
    count: int = 0

    def __add__(self, other: _Sizes) -> _Sizes:
        known = [one for one in (self.largest, other.largest) if not math.isnan(one)]
        return _Sizes(
            max(known, default=float("nan")),
            self.squares + other.squares,
            self.residual + other.residual,
            self.count + other.count,
        )

    def root(self, squares: float) -> float:
        """Root mean square of what ``squares`` is the sum of."""
        return math.sqrt(squares / self.count) if self.count else 0.0


def label_noise(sets: Sequence[tuple[str, Dataset]], model: MLIPModel) -> LabelNoise:
    """Measure the labels of the validation ``sets``, of all together and of each.

    :param sets: by name, as :class:`mtt.training.scoring.validation.Validation` takes them.
    :param model: with its composition baseline.
    """
    info = model.dataset_info
    known = quantities(info, totals=False, extended=False)
    whole = [_Sizes() for _ in known]
    noise: set[str] = set()
    floors: dict[str, float] = {}
    for name, dataset in sets:
        own = [_sizes(dataset, quantity, model) for quantity in known]
        whole = [one + more for one, more in zip(whole, own, strict=True)]
        if name:
            _add(noise, floors, f"{name} ", known, own, model)
    _add(noise, floors, "", known, whole, model)
    return LabelNoise(frozenset(noise), floors)


def _add(
    noise: set[str],
    floors: dict[str, float],
    prefix: str,
    known: Sequence[Quantity],
    sizes: Sequence[_Sizes],
    model: MLIPModel,
) -> None:
    energies = {
        quantity.target: size.root(size.residual)
        for quantity, size in zip(known, sizes, strict=True)
        if quantity.part == "per atom"
    }
    eps = torch.finfo(model.dtype).eps
    for quantity, size in zip(known, sizes, strict=True):
        name = f"{prefix}{quantity.name}"
        derived = quantity.part in ("forces", "stress", "virial", "strain")
        if derived and is_noise(size.largest, energies.get(quantity.target, 0.0)):
            noise.add(name)
        # the network rounds what it adds to the baseline, float64 the whole
        floor = eps * size.root(size.residual) + 4 * _DOUBLE * size.root(size.squares)
        floors[name] = floor or eps * model.scales[quantity.target]


def _sizes(dataset: Dataset, quantity: Quantity, model: MLIPModel) -> _Sizes:
    """Measure the labels as they are scored, but strain derivatives always per atom."""
    labels = dataset.target(quantity.target)
    if quantity.part == "forces":
        return _measured(labels.forces)
    if quantity.part == "strain":
        return _measured(labels.strain)
    n_atoms = dataset.n_atoms
    if quantity.part in ("stress", "virial"):
        strain = labels.strain
        if strain is not None and quantity.part == "stress":
            strain = strain[dataset.volumes > 0]  # others have no stress
            n_atoms = n_atoms[dataset.volumes > 0]
        return _measured(None if strain is None else strain / n_atoms[:, None, None])
    info = model.dataset_info
    counts = counts_of(dataset, info.targets[quantity.target], info.atomic_types)
    table = model.composition.values[:, columns(model, quantity.target)].to("cpu", torch.float64)
    size = n_atoms[:, None] if quantity.part == "per atom" else torch.ones(1, 1)
    values = labels.values.flatten(1)
    return _measured(values / size, (values - counts @ table) / size)


def _measured(labels: Tensor | None, residual: Tensor | None = None) -> _Sizes:
    if labels is None:
        return _Sizes()
    there = torch.isfinite(labels)
    found = labels[there]
    squares = float(found.square().sum())
    left = squares if residual is None else float(residual[there].square().sum())
    return _Sizes(largest(found), squares, left, int(there.sum()))

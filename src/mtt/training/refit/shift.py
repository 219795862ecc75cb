"""What is added to a baseline, by least squares, and what that does to the errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from ase.data import chemical_symbols
from torch import Tensor

from mtt.baselines.given import given_types
from mtt.baselines.offset import fit_offset
from mtt.data.info import DatasetInfo
from mtt.data.labels.units import shown
from mtt.mlip import MLIPModel
from mtt.mlip.finetune.baselines import columns
from mtt.mlip.fitting import counts_of

if TYPE_CHECKING:
    from mtt.data import Dataset

_FEW = 3  # numbers that are each shown


@dataclass(frozen=True)
class Residual:
    """What predictions of a target leave over on a data set, per atom for sums over atoms.

    :param rows: [n, numbers] float64, labels minus predictions; NaN where a label is missing.
    :param shares: [n, n_types] float64, by which the numbers of the elements enter.
    """

    rows: Tensor
    shares: Tensor

    @classmethod
    def of(cls, left: Tensor, dataset: Dataset, name: str, info: DatasetInfo) -> Residual:
        """Of the totals ``left`` [n, numbers] of the target ``name``."""
        target = info.targets[name]
        counts = counts_of(dataset, target, info.atomic_types)
        if target.is_mean:
            return cls(left, counts)
        sizes = dataset.n_atoms[:, None].double()
        return cls(left / sizes, counts / sizes)

    def without(self, weights: Tensor) -> Residual:
        """What is left once ``weights`` [n_types, numbers] are part of the predictions."""
        return Residual(self.rows - self.shares @ weights, self.shares)

    @property
    def _known(self) -> Tensor:
        return self.rows[self.rows.isfinite().all(dim=1)]

    @property
    def mean_errors(self) -> list[float]:
        """Mean of predictions minus labels, of each number; NaN without labels."""
        return [-value for value in self._known.mean(dim=0).tolist()]

    @property
    def rmse(self) -> float:
        """NaN without labels."""
        return float(self._known.square().mean().sqrt())

    def is_worse_than(self, other: Residual) -> bool:
        """Whether the mean square is larger by more than two standard errors of the difference.

        Both are of the same structures. From a few structures that scatter a constant is
        not known better than to a part of their scatter. Of one structure, any rise counts;
        without labels there is none.
        """
        rises = (self._known.square() - other._known.square()).mean(dim=1)
        error = float(rises.std()) / len(rises) ** 0.5 if len(rises) > 1 else 0.0
        return float(rises.mean()) > 2 * error


@dataclass(frozen=True)
class Shift:
    """A change of the baseline of one target.

    :param weights: [n_types, invariant numbers of a sample] float64, what is added; in the unit of
        the target.
    :param before: what the training set leaves over without it.
    :param after: the same with it.
    """

    weights: Tensor
    before: Residual
    after: Residual

    def to_dict(self, info: DatasetInfo, name: str) -> dict[str, Any]:
        """In plain types, in the unit of the target."""
        ends = (self.before.mean_errors, self.after.mean_errors)
        return {
            "shift": {
                chemical_symbols[int(z)]: _one_or_all(row)
                for z, row in zip(info.atomic_types, self.weights.tolist(), strict=True)
                if any(row)
            },
            "unit": info.targets[name].unit,
            "mean_error": [_one_or_all(end) for end in ends],
            "rmse": [self.before.rmse, self.after.rmse],
        }

    def line(self, info: DatasetInfo, name: str) -> str:
        """In one sentence, energies in meV."""
        target = info.targets[name]
        unit, factor = shown(target.unit)
        per = f" {unit}" if target.is_mean else f" {unit or 'units'}/atom"
        shifts = [
            f"{chemical_symbols[int(z)]} {_signed(row, factor)}"
            for z, row in zip(info.atomic_types, self.weights.tolist(), strict=True)
            if any(row)
        ]
        rounding = 1e-9 * self.before.rmse
        before, after = (
            _signed([value if abs(value) > rounding else 0.0 for value in one.mean_errors], factor)
            for one in (self.before, self.after)
        )
        rmse = f"{factor * self.before.rmse:.4g} to {factor * self.after.rmse:.4g}"
        return (
            f"{name} shifted by {', '.join(shifts)}{per}: mean error on the training set {before} "
            f"to {after}, RMSE {rmse}{per}"
        )


def find_shift(
    model: MLIPModel, name: str, left: Residual, given: Mapping[str, Any]
) -> Shift | None:
    """Least squares in float64 for the numbers of the baseline that the options do not give.

    All structures weigh the same, by their residual per atom: the mean error of the training set
    is then zero where no number is given. Where the compositions do not determine every number,
    the change of least norm is taken; numbers of elements that no label has are not changed. The
    baseline of a mean over atoms is one constant, unless the options give some of it.

    :param left: of the training set.
    :param given: ``atomic_baseline`` of the options.
    :return: None where nothing is free, or nothing is determined.
    """
    info = model.dataset_info
    n_types = len(info.atomic_types)
    constant = info.targets[name].has_constant and name not in given
    taken = given_types(given.get(name), info.atomic_types)
    free = [0] if constant else [i for i in range(n_types) if i not in taken]
    shares = torch.ones(len(left.rows), 1, dtype=torch.float64) if constant else left.shares
    one = torch.ones(len(left.rows), dtype=torch.float64)
    offset = fit_offset(shares, left.rows, one, free, robust=False)
    if not offset.rank:
        return None
    weights = offset.weights.repeat(n_types, 1) if constant else offset.weights
    return Shift(weights, left, left.without(weights))


def refittable(model: MLIPModel, given: Mapping[str, Any]) -> list[str]:
    """Targets of structures that have a baseline, with a number that the options do not give.

    Those that turn with a structure have none, nor have those of a source without any.
    """
    names, types = [], model.dataset_info.atomic_types
    for name, target in model.dataset_info.targets.items():
        if target.per_atom or not target.invariant_columns:
            continue
        table = model.composition.values[:, columns(model, name)]
        has_one = target.is_energy or name in given or bool(table.any())
        if has_one and len(given_types(given.get(name), types)) < len(types):
            names.append(name)
    return names


def _one_or_all(values: list[float]) -> float | list[float]:
    return values[0] if len(values) == 1 else values


def _signed(values: list[float], factor: float) -> str:
    """Each of a few numbers; of many, as of a spectrum, the least and the greatest."""
    if len(values) > _FEW:
        ends = (min(values), max(values))
        least, greatest = (f"{factor * end:+.3g}" if end else "0" for end in ends)
        return least if least == greatest else f"{least} … {greatest}"
    return " ".join(f"{factor * value:+.4g}" if value else "0" for value in values)

"""Values that grow with the number of atoms, of targets that are taken for a mean over them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mtt.data.dataset import Dataset
from mtt.data.frames import Float

_SUM = 0.95  # share of the variance that numbers of atoms explain at least
_MEAN = 0.8  # that shares of elements explain at most
_MORE = 5  # structures that a fit needs beyond its parameters


def sum_notices(dataset: Dataset) -> Iterator[str]:
    """A warning for each mean over atoms without a quantity that looks like a sum.

    The numbers of atoms of each element explain such values, their shares do not.
    """
    for name, target in dataset.info.targets.items():
        invariant = target.of_kind.is_invariant
        if invariant and target.is_mean and not target.quantity and _grows(dataset, name):
            yield (
                f"{name} grows with the number of atoms, but is learnt as a mean over atoms, "
                "without a baseline by composition; write quantity: energy if it is an energy, or "
                "extensive: true for another sum"
            )


def _grows(dataset: Dataset, name: str) -> bool:
    rows = dataset.target(name).values.flatten(1).numpy()
    known = np.isfinite(rows).any(axis=1)
    values = np.full(len(rows), np.nan)
    values[known] = np.nanmean(rows[known], axis=1)  # of a spectrum that has points masked, too
    counts = dataset.composition(dataset.info.atomic_types).numpy()[known]
    counts = counts[:, counts.any(axis=0)]
    sizes = counts.sum(axis=1, keepdims=True)
    if len(counts) < counts.shape[1] + _MORE or np.ptp(sizes) == 0:
        return False
    by_sum, by_mean = (_explained(one, values[known]) for one in (counts, counts / sizes))
    return by_sum > _SUM and by_mean < _MEAN


def _explained(counts: Float, values: Float) -> float:
    """R² of a least-squares fit with a constant."""
    columns = np.column_stack([counts, np.ones(len(values))])
    left = values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
    total = float(((values - values.mean()) ** 2).sum())
    return 1.0 - float(left @ left) / total if total > 0 else 0.0

"""How much of a residual one number per element explains: labels of another reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

_MAD = 1.4826  # from median of deviations to standard deviation
_FAR = 8.0  # standard deviations beyond which a sample is left out
_FEW = 0.1  # of the samples may be left out; more of them are not outliers
_ROUNDS = 3


class Offset(NamedTuple):
    """One number per element, fitted to a residual.

    :param weights: [n_types, properties] float64; zero for elements that were not free.
    :param left: [n, properties] float64, the residual per atom that is left; NaN where missing.
    :param kept: [n] bool, samples that the numbers were fitted to.
    :param rank: how many numbers the compositions determine.
    :param free: how many elements of the samples were free.
    """

    weights: Tensor
    left: Tensor
    kept: Tensor
    rank: int
    free: int

    @property
    def spread(self) -> float:
        """Root mean square residual per atom, by degrees of freedom; 0 without samples."""
        rows = self.left[self.kept]
        freedom = (len(rows) - self.rank) * rows.shape[1]
        return float(rows.square().sum() / freedom) ** 0.5 if freedom > 0 else 0.0

    @property
    def freedom(self) -> int:
        """Samples beyond those that any residual could be fitted to."""
        return int(self.kept.sum()) - self.rank


def fit_offset(
    counts: Tensor, residual: Tensor, sizes: Tensor, free: Sequence[int], robust: bool = True
) -> Offset:
    """Least squares in float64: ``counts @ weights ≈ residual``, every atom with equal weight.

    Where the compositions do not determine every number, the solution of least norm is taken, as
    for composition baselines. Samples far from all others do not move the numbers: they are left
    out, and the fit is repeated, if they are few and the others determine as many numbers.

    :param counts: [n, n_types] float64, atoms of each element per sample.
    :param residual: [n, properties] float64, labels minus predictions; NaN where missing.
    :param sizes: [n] float64, atoms per sample; 1 for targets of atoms.
    :param free: the types that get a number; the others get zero.
    :param robust: whether samples may be left out.
    """
    types = torch.as_tensor(list(free), dtype=torch.long)
    rows = residual / sizes[:, None]
    shares = counts / sizes[:, None]
    complete = torch.isfinite(rows).all(dim=1)
    kept = complete
    weights, rank, used = _solve(shares, rows, types, kept)
    for _ in range(_ROUNDS if robust else 0):
        near = complete & _near(rows - shares @ weights, kept, rows)
        if bool((near == kept).all()) or int(near.sum()) < (1 - _FEW) * int(complete.sum()):
            break
        again = _solve(shares, rows, types, near)
        if again[1] < rank:
            break
        kept, (weights, rank, used) = near, again
    return Offset(weights, rows - shares @ weights, kept, rank, used)


def _solve(shares: Tensor, rows: Tensor, types: Tensor, kept: Tensor) -> tuple[Tensor, int, int]:
    """Weights [n_types, properties], their rank, and how many types occur."""
    weights = torch.zeros(shares.shape[1], rows.shape[1], dtype=torch.float64)
    used = types[(shares[kept][:, types] > 0).any(dim=0)]
    if not len(used):
        return weights, 0, 0
    solution = torch.linalg.lstsq(shares[kept][:, used], rows[kept], driver="gelsd")
    weights[used] = solution.solution
    return weights, int(solution.rank), len(used)


def _near(left: Tensor, kept: Tensor, rows: Tensor) -> Tensor:
    """[n] whether a sample is like the others; all are where what is left is rounding noise."""
    if not bool(kept.any()):
        return kept
    some = left[kept]
    middle = some.median(dim=0).values
    spread = _MAD * (some - middle).abs().median(dim=0).values
    floor = 1e-9 * rows[kept].abs().amax(dim=0)
    return ((left - middle).abs() <= (_FAR * spread).clamp(min=floor)).all(dim=1)

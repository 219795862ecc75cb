"""Normal equations, added up over blocks of rows: memory does not grow with the data."""

from __future__ import annotations

import torch
from torch import Tensor

from mtt.ranks import Ranks

_BLOCKS = 6  # the symmetric matrix is added up by blocks, the lower half of them alone


class NormalEquations:
    """Σ over rows of ω (x·w − y)²: the matrix Σ ω x xᵀ, the right side Σ ω x y, and Σ ω y².

    :param n_columns: weights that are sought.
    """

    def __init__(self, n_columns: int, device: torch.device | str = "cpu") -> None:
        self.matrix = torch.zeros(n_columns, n_columns, dtype=torch.float64, device=device)
        self.right = torch.zeros(n_columns, dtype=torch.float64, device=device)
        self.squares = torch.zeros((), dtype=torch.float64, device=device)
        self.n_rows = 0
        self._waiting: list[tuple[Tensor, Tensor]] = []
        self._n_waiting = 0

    def add(self, rows: Tensor, values: Tensor, roots: Tensor) -> None:
        """Count some rows; those of weight zero are left out.

        :param rows: [n, n_columns].
        :param values: [n], what a row times the weights should be.
        :param roots: [n], √ω.
        """
        used = roots > 0
        if not bool(used.all()):
            rows, values, roots = rows[used], values[used], roots[used]
        if not len(values):
            return
        self._waiting.append((rows * roots[:, None], values * roots))
        self._n_waiting += len(values)
        self.n_rows += len(values)
        if self._n_waiting >= max(1000, len(self.right) // 4):
            self.settle()

    def settle(self) -> None:
        """Add what waits to make a product worth its while."""
        if not self._waiting:
            return
        rows = torch.cat([one for one, _ in self._waiting])
        values = torch.cat([one for _, one in self._waiting])
        self._waiting, self._n_waiting = [], 0
        size = -(-len(self.right) // _BLOCKS)
        parts = torch.split(rows, size, dim=1)
        for i, one in enumerate(parts):
            for j, other in enumerate(parts[: i + 1]):
                block = self.matrix[i * size : (i + 1) * size, j * size : (j + 1) * size]
                block.addmm_(one.T, other)
        self.right += rows.T @ values
        self.squares += values @ values

    def finish(self, ranks: Ranks) -> None:
        """Fill the upper half of the matrix, and add what the other ``ranks`` have."""
        self.settle()
        size = -(-len(self.right) // _BLOCKS)
        for i in range(_BLOCKS):
            for j in range(i):
                block = self.matrix[i * size : (i + 1) * size, j * size : (j + 1) * size]
                self.matrix[j * size : (j + 1) * size, i * size : (i + 1) * size] = block.T
        self.matrix, self.right, self.squares = ranks.sum([self.matrix, self.right, self.squares])
        self.n_rows = int(ranks.sum_numbers([self.n_rows])[0])

"""Arrays in several places: rows of one piece after those of another, without copying."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Pieces:
    """A column in several places: rows of the first piece, then of the second, and so on.

    :param pieces: the parts; None for one that has no such column, whose rows are ``blank``.
    :param lengths: rows of each part.
    :param blank: one row, of the type and shape of all.
    """

    def __init__(
        self, pieces: Sequence[Column | None], lengths: Sequence[int], blank: Tensor
    ) -> None:
        self.pieces = list(pieces)
        self.ends = np.cumsum(np.asarray(lengths, dtype=np.int64))
        self.blank = blank

    @property
    def shape(self) -> torch.Size:
        return torch.Size((int(self.ends[-1]), *self.blank.shape))

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Select rows like ``Tensor.index_select``; ``dim`` is 0."""
        assert dim == 0
        out = self.blank.expand(len(rows), *self.blank.shape).clone()
        part = np.searchsorted(self.ends, rows.numpy(), side="right")
        for k, piece in enumerate(self.pieces):
            where = torch.from_numpy(np.flatnonzero(part == k))
            if piece is not None and len(where):
                start = int(self.ends[k - 1]) if k else 0
                out.index_copy_(0, where, piece.index_select(0, rows[where] - start))
        return out


Column = Tensor | Pieces


def join_offsets(offsets: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Offsets of several arrays that follow one another."""
    return np.concatenate([[0], np.cumsum(np.concatenate([np.diff(part) for part in offsets]))])

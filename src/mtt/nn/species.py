"""Layers with separate weights for every element, for atoms that are sorted by element."""

import math
from typing import List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor

from mtt.nn.constant import Constant


class SpeciesOrder(NamedTuple):
    """Atoms grouped by type."""

    row_of_atom: Tensor  # [n_atoms] int64, a permutation: row of each atom
    counts: List[int]  # atoms of each type


def sort_by_species(types: Tensor, n_types: int, known: Optional[List[int]] = None) -> SpeciesOrder:
    """The order that groups atoms by type, and keeps their order within a type.

    :param types: [n_atoms] int64, from 0 to n_types - 1.
    :param known: ``graph.counts``; without them they are read from the device.
    """
    atom_of_row = torch.argsort(types, stable=True)
    rows = torch.arange(types.shape[0], device=types.device)
    row_of_atom = torch.empty_like(atom_of_row).index_copy(0, atom_of_row, rows)
    if known is not None:
        return SpeciesOrder(row_of_atom, known)
    counts: List[int] = torch.bincount(types, minlength=n_types).tolist()
    return SpeciesOrder(row_of_atom, counts)


def order_tensors(order: SpeciesOrder) -> List[Tensor]:
    """``order`` as tensors, for :meth:`mtt.MLIPModel.prepare`: counts are sizes.

    :return: the permutation [n_atoms] int64, and nothing [count, 0] for each type.
    """
    tensors = [order.row_of_atom]
    for count in order.counts:
        tensors.append(order.row_of_atom.new_empty([count, 0]))
    return tensors


def order_of(tensors: List[Tensor]) -> SpeciesOrder:
    """The order back from what :func:`order_tensors` returned."""
    return SpeciesOrder(tensors[0], [tensor.shape[0] for tensor in tensors[1:]])


class SpeciesLinear(torch.nn.Module):
    """y = W_t x for an atom of type t; no bias.

    Rows come grouped by type, so that each type is one matrix product.

    :param n_types: number of elements.
    """

    def __init__(self, n_types: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(n_types, out_features, in_features))
        bound = 1 / math.sqrt(in_features)  # as torch.nn.Linear
        torch.nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor, counts: List[int]) -> Tensor:
        """[n, out_features] from [n, in_features], ``counts[t]`` rows of type t."""
        return grouped_linear(x, self.weight, counts)

    def extra_repr(self) -> str:
        n_types, out_features, in_features = self.weight.shape
        return f"{in_features}, {out_features}, n_types={n_types}"


class SpeciesNormLinear(torch.nn.Module):
    """Layer normalisation (Ba et al., arXiv:1607.06450) and :class:`SpeciesLinear` in one.

    y = W_t (gain_t (x - mean x) / σ(x) + shift_t), σ² = var x + 1e-5. The gain is multiplied
    into the weights, which are shorter than the rows of x, and the mean is subtracted
    after the product. Mean and variance are over all features, or over those that
    :meth:`normalise_over` names.
    """

    def __init__(self, n_types: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = SpeciesLinear(n_types, in_features, out_features)
        self.gain = torch.nn.Parameter(torch.ones(n_types, in_features))
        self.shift = torch.nn.Parameter(torch.zeros(n_types, in_features))
        self.counted = Constant(torch.zeros(0, in_features))

    def normalise_over(self, counted: Tensor) -> None:
        """Take mean and variance over some features only, for each element.

        :param counted: [n_types, in_features] bool, at least one for each element.
        """
        weights = counted.to(torch.float64)
        shares = Constant(weights / weights.sum(dim=1, keepdim=True))
        self.counted = shares.to(device=self.gain.device, dtype=self.gain.dtype)

    def forward(self, x: Tensor, counts: List[int]) -> Tensor:
        """[n, out_features] from [n, in_features], ``counts[t]`` rows of type t."""
        weight = self.linear.weight * self.gain[:, None, :]
        offset = torch.bmm(self.linear.weight, self.shift[:, :, None])[:, :, 0]
        if not torch.jit.is_scripting():  # noqa: SIM102  TorchScript reads one without `and`
            if torch.is_autocast_enabled(x.device.type):
                normalised = self.normalised(x, counts)
                return grouped_linear(normalised, weight, counts) + expand_rows(offset, counts)
        mean, inverse = self.moments(x, counts)
        centred = grouped_linear(x, weight, counts) - mean * expand_rows(weight.sum(2), counts)
        return centred * inverse + expand_rows(offset, counts)

    def normalised(self, x: Tensor, counts: List[int]) -> Tensor:
        """(x - mean x) / σ(x), in full precision also where autocast is on.

        A product in 16 bits has no digits left for a mean to be subtracted.
        """
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.gain.dtype)
            mean, inverse = self.moments(x, counts)
            return (x - mean) * inverse

    def moments(self, x: Tensor, counts: List[int]) -> Tuple[Tensor, Tensor]:
        """mean x and 1 / σ(x), both [n, 1]."""
        counted = self.counted()
        if counted.shape[0] > 0:
            mean = grouped_linear(x, counted[:, None, :], counts)
            square = grouped_linear(x.square(), counted[:, None, :], counts)
        else:
            # sums, scaled as [n, 1]: the derivative of a mean divides the whole array
            share = 1 / x.shape[1]
            mean = x.sum(dim=1, keepdim=True) * share
            square = x.square().sum(dim=1, keepdim=True) * share
        variance = square - mean.square()
        return mean, torch.rsqrt(variance.clamp(min=0.0) + 1e-5)

    def extra_repr(self) -> str:
        counted = self.counted()
        if counted.shape[0] == 0:
            return f"normalised over {self.gain.shape[1]}"
        numbers = ", ".join(str(int(n)) for n in (counted > 0).sum(dim=1))
        return f"normalised over {numbers} of {self.gain.shape[1]}"


def with_known_species(fresh: Tensor, known: Tensor, places: List[int]) -> Tensor:
    """Weights [n_types, ...] of more elements: ``known`` at ``places``, the others ``fresh``."""
    return fresh.index_copy(0, torch.tensor(places, device=fresh.device), known.to(fresh.dtype))


def grouped_linear(x: Tensor, weight: Tensor, counts: List[int]) -> Tensor:
    """W_t x for rows grouped by type; ``weight`` is [n_types, out, in]."""
    parts: List[Tensor] = []
    matrices = weight.unbind(0)
    for t, rows in enumerate(x.split(counts)):
        if rows.shape[0] > 0:
            parts.append(rows @ matrices[t].t())
    return torch.cat(parts)


def expand_rows(table: Tensor, counts: List[int]) -> Tensor:
    """Row t of ``table`` repeated ``counts[t]`` times."""
    # a GPU takes it when it comes to it, and the host does not wait
    repeats = torch.tensor(counts).to(table.device, non_blocking=True)
    return table.repeat_interleave(repeats, dim=0, output_size=sum(counts))

"""Sum, mean, largest value and learned mean over atoms; TorchScript.

Each one is a sum with weights, Σ w_i y_i over the atoms i of a structure:

    sum       1
    mean      1 / n
    max       1 / k for the k atoms with the largest y, 0 for all others; for each property
    learned   exp(s_i) / Σ_j exp(s_j), the softmax of a number s_i that the network has for the atom

All but the sum are the same for a structure and for several copies of it side by side. The learned
weights are those of Chen, Kunkel, Cheng, Reuter and Margraf (Chem. Sci. 14, 4913, 2023) without
their physical prior. ``max`` is the exact maximum: a smooth one needs a width, and then is neither
the largest value nor independent of that width. Its derivatives jump where another atom becomes the
largest.
"""

from typing import Dict

import torch
from torch import Tensor


def pooled(atomic: Tensor, of_atom: Tensor, n_systems: int, pooling: str) -> Tensor:
    """Values of structures [n_systems, *components, properties]; zero of one without atoms.

    :param atomic: [n_atoms, *components, properties]; of ``"learned"`` s_i is one property more,
        the last one.
    :param of_atom: [n_atoms] int64, structure of each atom.
    :param pooling: see :attr:`mtt.TargetInfo.pooling`; not ``"atom"``.
    """
    if pooling == "max":
        atomic = atomic * _of_largest(atomic, of_atom, n_systems)
    elif pooling == "learned":
        atomic = atomic[:, :-1] * _softmax(atomic[:, -1:], of_atom, n_systems)
    values = _sums(atomic, of_atom, n_systems)
    if pooling != "mean":
        return values
    # as a sum: torch.bincount waits for a GPU
    sizes = _sums(torch.ones_like(of_atom), of_atom, n_systems).clamp(min=1)
    return values / sizes.reshape([-1] + [1] * (values.dim() - 1))


def of_atoms(atomic: Tensor, pooling: str) -> Tensor:
    """Values of atoms [n_atoms, *components, properties], without the s_i of learned weights."""
    return atomic[:, :-1] if pooling == "learned" else atomic


def with_logits(values: Dict[str, Tensor], logits: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """``values`` as :func:`pooled` takes them: with s_i [n_atoms, 1] as the last property."""
    for name, logit in logits.items():
        values[name] = torch.cat([values[name], logit.to(values[name].dtype)], dim=1)
    return values


def _sums(rows: Tensor, of_atom: Tensor, n_systems: int) -> Tensor:
    shape = list(rows.shape)
    shape[0] = n_systems
    return rows.new_zeros(shape).index_add(0, of_atom, rows)


def _largest(rows: Tensor, of_atom: Tensor, n_systems: int) -> Tensor:
    """[n_atoms, properties] the largest row of the structure that an atom belongs to."""
    shape = [n_systems, rows.shape[1]]
    index = of_atom[:, None].expand(rows.shape)
    lowest = torch.full(shape, -torch.inf, dtype=rows.dtype, device=rows.device)
    return lowest.scatter_reduce(0, index, rows, "amax").index_select(0, of_atom)


def _of_largest(rows: Tensor, of_atom: Tensor, n_systems: int) -> Tensor:
    """Weights of the maximum, which share it out where several atoms have it."""
    rows = rows.detach()
    first = (rows == _largest(rows, of_atom, n_systems)).to(rows.dtype)
    return first / _sums(first, of_atom, n_systems).clamp(min=1.0).index_select(0, of_atom)


def _softmax(logits: Tensor, of_atom: Tensor, n_systems: int) -> Tensor:
    """Weights [n_atoms, 1], whose sum over each structure is one."""
    # the largest one is taken off, which changes no weight, so that exp does not overflow
    raised = torch.exp(logits - _largest(logits.detach(), of_atom, n_systems))
    return raised / _sums(raised, of_atom, n_systems).index_select(0, of_atom)

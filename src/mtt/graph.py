"""The two values that data, models and training hand to one another."""

from collections.abc import Callable, Iterable
from typing import Dict, List, NamedTuple, Optional

from torch import Tensor


class PairRows(NamedTuple):
    """Pairs as rows of neighbours, one row per atom; known where the lists were stored.

    Every pair has a counterpart, and ``reverse[reverse]`` counts all pairs in order.
    """

    reverse: Tensor  # [P] int64, number of the same pair seen from its other end
    columns: Tensor  # [P] int64, place of the pair in the row of its centre
    width: int  # of the longest row, 0 without pairs


class Graph(NamedTuple):
    """A batch of structures as one disconnected graph of flat tensors (TorchScript-able).

    ``P`` pairs are all ordered pairs closer than the cutoff (each pair is listed twice, once
    per direction; periodic images of an atom pair with the atom itself), sorted by centre.
    Lengths are in the unit of the data set (``DatasetInfo.length_unit``).

    The last four fields are what a loader knows of a batch before it is on a device: a model that
    uses them reads no number back from there. They are None where a graph comes from elsewhere.
    """

    types: Tensor  # [n_atoms] int64, index into DatasetInfo.atomic_types
    system: Tensor  # [n_atoms] int64, structure that the atom belongs to, ascending
    n_systems: int
    centers: Tensor  # [P] int64, ascending
    neighbors: Tensor  # [P] int64
    vectors: Tensor  # [P, 3] from centre to neighbour, network precision
    positions: Tensor  # [n_atoms, 3], for long-range models only
    cells: Tensor  # [n_systems, 3, 3] rows are cell vectors, zero where not periodic
    charges: Optional[Tensor] = None  # [n_systems] float64, elementary charges; None: all 0
    spins: Optional[Tensor] = None  # [n_systems] float64, multiplicities 2 S + 1; None: all 1
    # inputs that the user names: [n_systems] or [n_atoms] float64 each; NaN where missing
    numbers: Optional[Dict[str, Tensor]] = None
    rows: Optional[PairRows] = None
    counts: Optional[List[int]] = None  # atoms of each type
    seen: Optional[Tensor] = None  # [K] int64, pairs within the network's cutoff; None: any or all
    prepared: Optional[List[Tensor]] = None  # of those pairs, by the model's ``prepare``


Graphs = Callable[[], Iterable[Graph]]
"""A data set in batches, from the first one whenever it is called."""


class Target(NamedTuple):
    """Labels or predictions of one target; ``n`` = structures, or atoms for per-atom targets.

    Missing labels are NaN. ``strain`` is the derivative of the energy with respect to a
    symmetric strain: volume times stress, minus the virial, in the unit of the energy.

    Of targets that are single numbers likewise; of others, vectors say, ``forces`` holds the
    derivatives of every component, with their own sign: ``[n_atoms, 3, *components, properties]``
    and ``[n_systems, 3, 3, *components, properties]``.
    """

    values: Tensor  # [n, *components, properties] float64; energies and scalars: [n, properties]
    forces: Optional[Tensor] = None  # [n_atoms, 3], minus the gradient by positions
    strain: Optional[Tensor] = None  # [n_systems, 3, 3]

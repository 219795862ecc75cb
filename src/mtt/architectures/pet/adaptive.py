"""A cutoff for each atom, within which it has about a given number of neighbours."""

import math
from typing import Any, Dict, List, Tuple

import torch
from torch import Tensor

from mtt.nn import Neighborhoods, lay_out

STEPS = 10
"""Newton steps without derivatives; one with them follows."""

FIRST_PROBE = 0.5
"""Smallest radius of the grid, in the length unit of the data."""

SMALLEST_SLOPE = 1e-6


class AdaptiveCutoff(torch.nn.Module):
    """Radii a_i at which the smooth number of neighbours of an atom is what is asked for.

    With s = (r_ij - a + width) / width, clamped to (0, 1), neighbours count as

        n_i(a) = Σ_j ½ (1 + tanh cot πs) + N (a / cutoff)³,

    where the last term is what neighbours of a uniform density would be, so that few neighbours
    give a large radius, at most the cutoff. ``solver`` finds n_i(a_i) = N by Newton's method,
    safe in a bracket, and differentiates it as an implicit function. ``grid`` averages radii,
    a quarter of the width apart, by how near their counts are to N, in units of the change of
    the count from one radius to the next.

    Two atoms see each other within the mean of their radii, so that both see the pair.

    The methods and numbers are those of metatrain 2026.4 (``metatrain.pet``, BSD-3-Clause).

    :param hypers: options of the model.
    """

    def __init__(self, hypers: Dict[str, Any]) -> None:
        super().__init__()
        self.cutoff = float(hypers["cutoff"])
        self.width = float(hypers["cutoff_width_adaptive"])
        self.number = float(hypers["num_neighbors_adaptive"])
        self.steps = STEPS  # TorchScript knows no globals
        self.first = FIRST_PROBE
        self.smallest = SMALLEST_SLOPE
        self.solver: bool = hypers["adaptive_cutoff_method"] == "solver"
        self.n_probes: int = max(1, math.ceil((self.cutoff - FIRST_PROBE) / (self.width / 4)))

    def prepare(self, lengths: Tensor, centers: Tensor, layout: Neighborhoods) -> List[Tensor]:
        """What needs no derivatives: roots [n_atoms] and the slopes of n there; empty of a grid.

        :param lengths: [P] of all pairs.
        """
        if not self.solver:
            return [lengths.new_empty([0]), lengths.new_empty([0])]
        lengths = lengths.detach()
        low = lengths.new_zeros([layout.n_rows])
        high = torch.full_like(low, self.cutoff)
        root = 0.5 * high
        for _ in range(self.steps):
            number, slope = self.count(lengths, root, centers, layout)
            off = number - self.number
            below = off <= 0
            low = torch.where(below, root, low)
            high = torch.where(below, high, root)
            newton = root - off / slope.clamp_min(self.smallest)
            inside = (newton >= low) & (newton <= high)
            root = torch.where(inside, newton, 0.5 * (low + high))
        _, slope = self.count(lengths, root, centers, layout)
        return [root, slope]

    def forward(
        self, lengths: Tensor, centers: Tensor, layout: Neighborhoods, start: List[Tensor]
    ) -> Tensor:
        """[n_atoms], differentiable by ``lengths``.

        :param lengths: [P] of all pairs, which ``layout`` lays out.
        :param start: what :meth:`prepare` returned.
        """
        if not self.solver:
            return self.averaged(lengths, layout)
        root, slope = start[0], start[1]
        number, _ = self.count(lengths, root, centers, layout)
        step = (number - self.number) / slope.clamp_min(self.smallest)
        return (root - step).clamp(self.cutoff / 16, self.cutoff)

    def count(
        self, lengths: Tensor, radii: Tensor, centers: Tensor, layout: Neighborhoods
    ) -> Tuple[Tensor, Tensor]:
        """n_i at ``radii`` [n_atoms], and its slope by the radius."""
        s = (lengths - radii[centers]) / self.width + 1
        active = (s > 0) & (s < 1)
        angle = math.pi * s.clamp(1e-6, 1 - 1e-6)
        # ½ (1 + tanh x) is the logistic function of 2 x
        share = torch.sigmoid(2 / torch.tan(angle))
        slope = 2 * math.pi / self.width * share * (1 - share) / torch.sin(angle).square()
        slope = slope.detach() * active.to(slope.dtype)
        both = lay_out(torch.stack([share, slope], dim=1), layout, 0.0)
        sums = both.view(layout.n_rows, layout.width, 2).sum(dim=1)
        x = radii / self.cutoff
        number = sums[:, 0] + self.number * x**3
        return number, sums[:, 1] + 3 * self.number / self.cutoff * x**2

    def averaged(self, lengths: Tensor, layout: Neighborhoods) -> Tensor:
        """Radii [n_atoms] by the grid."""
        steps = torch.arange(self.n_probes, dtype=lengths.dtype, device=lengths.device)
        probes = self.first + self.width / 4 * steps
        s = (lengths[:, None] - probes) / self.width + 1
        share = torch.sigmoid(2 / torch.tan(math.pi * s.clamp(1e-6, 1 - 1e-6)))
        table = lay_out(share, layout, 0.0).view(layout.n_rows, layout.width, self.n_probes)
        uniform = (steps / max(1, self.n_probes - 1)) ** 3
        off = table.sum(dim=1) + self.number * (uniform - 1)
        change = change_along_rows(off).abs().clamp_min(1e-12)
        scores = -0.5 * (off / change) ** 2
        return torch.softmax(scores, dim=1) @ probes

    def extra_repr(self) -> str:
        method = "solver" if self.solver else "grid"
        return f"{self.number:g} neighbours, {method}, cutoff={self.cutoff}, width={self.width}"


def change_along_rows(values: Tensor) -> Tensor:
    """Half the difference of both neighbours in a row; at its ends that of the end and its one.

    Of a row of one value its half, in place of a difference.
    """
    if values.shape[1] == 1:
        return 0.5 * values
    first = values[:, 1:2] - values[:, :1]
    last = values[:, -1:] - values[:, -2:-1]
    return torch.cat([first, 0.5 * (values[:, 2:] - values[:, :-2]), last], dim=1)

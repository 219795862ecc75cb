"""Derivatives against finite differences of what they are derivatives of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import ase
import numpy as np
import torch
from torch import Tensor

from mtt.graph import Graph
from mtt.mlip import MLIPModel
from mtt.testing import systems
from mtt.testing.failure import CheckFailed, DoesNotApply
from mtt.testing.measure import Measured, compared
from mtt.testing.predictions import graph_of
from mtt.testing.subject import Subject

# f' = Σ coefficient f(x + point · step) / step, of fourth order
POINTS = (-2, -1, 1, 2)
COEFFICIENTS = torch.tensor([1, -8, 8, -1], dtype=torch.float64) / 12
# short: neighbours that cross the cutoff within a step leave jumps of a higher derivative
STEP = 1e-5
WEIGHT_STEP = 1e-3  # weights have no cutoff
TOLERANCE = 1e-6
ROUNDING = 1e-14  # of a float64 energy
PARTS = {"forces": "forces of", "strain": "strain derivative of"}


def check_forces(subject: Subject) -> Iterator[Measured]:
    """Forces are minus the gradient of the energy."""
    for one in systems.ordinary(subject.elements):
        generator = np.random.default_rng(6)
        directions = [generator.normal(size=(len(one), 3)) for _ in range(3)]
        moved = []
        for direction in directions:
            for point in POINTS:
                moved.append(one.copy())
                moved[-1].positions += point * STEP * direction
        projections = torch.tensor(np.array(directions))
        yield from _compared(subject, one, moved, "forces", projections)


def check_strain(subject: Subject) -> Iterator[Measured]:
    """The strain derivative (volume times stress) is that of the energy."""
    for one in systems.ordinary(subject.elements):
        generator = np.random.default_rng(7)
        directions = [(a + a.T) / 2 for a in generator.normal(size=(3, 3, 3))]
        moved = []
        for direction in directions:
            for point in POINTS:
                strain = np.eye(3) + point * STEP * direction
                moved.append(one.copy())
                moved[-1].set_cell(one.cell.array @ strain)
                moved[-1].positions = one.positions @ strain
        yield from _compared(subject, one, moved, "strain", torch.tensor(np.array(directions)))


def _compared(
    subject: Subject, one: ase.Atoms, moved: Sequence[ase.Atoms], part: str, directions: Tensor
) -> Iterator[Measured]:
    (found,) = subject.predict([one])
    energies = subject.predict(moved)
    sign = -1.0 if part == "forces" else 1.0
    for name in subject.energies:
        values = torch.stack([each[name].values.sum() for each in energies])
        slopes = values.reshape(-1, len(POINTS)) @ COEFFICIENTS / STEP
        derivative = getattr(found[name], part)
        projected = sign * (directions * derivative).sum(dim=(1, 2))
        what = f"{PARTS[part]} {name}, and finite differences"
        # a difference cannot be better than the last digits of the energies
        noise = ROUNDING * float(values.abs().max()) / STEP
        size = max(float(derivative.abs().max()), noise / TOLERANCE)
        where = one.get_chemical_formula()
        yield compared(what, projected, slopes, TOLERANCE, size=size, where=where)


def check_double_backward(subject: Subject) -> Iterator[Measured]:
    """A loss on forces and strain has the right gradient with respect to the weights."""
    model = subject.graph_model()
    if model is None:
        raise DoesNotApply("only models built on MLIPModel are differentiated by the platform")
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not subject.energies or not parameters:
        raise DoesNotApply("there is no energy, or nothing to train")
    structures = [*systems.ordinary(subject.elements), systems.atom(subject.elements[-1])]
    graph = graph_of(model, structures)
    loss = force_loss(model, graph)
    if not loss.requires_grad:
        raise CheckFailed("the forces do not depend on the weights")
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    if not all(bool(g.isfinite().all()) for g in gradients):
        raise CheckFailed("a force loss has a gradient that is not finite")
    if not any(bool(g.any()) for g in gradients):
        raise CheckFailed("a force loss does not reach the weights")
    generator = torch.Generator().manual_seed(8)
    directions = [
        torch.randn(p.shape, generator=generator, dtype=p.dtype) / max(1, p.numel()) ** 0.5
        for p in parameters
    ]
    slope = _slope(model, graph, parameters, directions)
    pairs = zip(gradients, directions, strict=True)
    projected = torch.stack([(g * d).sum() for g, d in pairs]).sum()
    size = max(float((g * d).abs().sum()) for g, d in zip(gradients, directions, strict=True))
    what = "gradient of a force loss by the weights, and finite differences"
    yield compared(what, projected[None], slope[None], TOLERANCE, size=size)


def force_loss(model: MLIPModel, graph: Graph) -> Tensor:
    """Mean squares of all forces and strain derivatives; to be differentiated again."""
    found = model.predict_targets(graph, create_graph=True, all_gradients=True)
    parts = [part for name in model.energy_names for part in found[name][1:]]
    return torch.stack([part.square().mean() for part in parts if part is not None]).sum()


def _slope(
    model: MLIPModel, graph: Graph, parameters: list[torch.nn.Parameter], directions: list[Tensor]
) -> Tensor:
    """Derivative of the force loss along ``directions``, by finite differences."""
    before = [p.detach().clone() for p in parameters]
    losses = []
    for point in POINTS:
        _set(parameters, before, directions, point * WEIGHT_STEP)
        losses.append(force_loss(model, graph).detach())
    _set(parameters, before, directions, 0.0)
    return (torch.stack(losses) * COEFFICIENTS).sum() / WEIGHT_STEP


@torch.no_grad()
def _set(
    parameters: list[torch.nn.Parameter], before: list[Tensor], along: list[Tensor], step: float
) -> None:
    for parameter, start, direction in zip(parameters, before, along, strict=True):
        parameter.copy_(start + step * direction)

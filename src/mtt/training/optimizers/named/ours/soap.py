"""Adam in the eigenbasis of Shampoo (Vyas et al., ICLR 2025)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mtt.training.optimizers.kind import OptimizerKind

SIDES = (0, 1)
"""Rows and columns of a matrix."""

SHIFT = 1e-6
"""Eigenvalue, in parts of the trace, below which directions keep the basis that they have."""

FIRST_SHIFT = 1e-3
"""The same for the first basis: one gradient says little about its small directions."""

FIRST_ROUNDS = 5
"""Power iterations from the identity to the first basis."""

FLOOR = 1e-5
"""Least root of a second moment, in parts of the largest one of a matrix."""


class SOAP(Optimizer):
    """Adam, run in a basis that turns slowly with the gradients (Vyas et al., ICLR 2025).

    A weight of two or more dimensions is a stack of matrices: its last two dimensions are rows
    and columns. For each matrix with gradient G::

        L <- b L + (1 - b) G Gᵀ       R <- b R + (1 - b) Gᵀ G

    and the columns of U and V are the eigenvectors of L and R, improved by one power iteration
    and a QR decomposition every ``precondition_frequency`` steps. Adam sees Uᵀ G V, and its step
    is turned back. Weights of fewer dimensions have plain Adam. The first step only measures.

    L and R of a few gradients have many eigenvalues of zero, whose eigenvectors are decided by
    rounding, and each choice of them is another step of Adam. Here the same gradients but for
    their rounding give the same steps but for a rounding some 1e5 times larger, so that a sum
    over ranks, in whatever order, trains to the same model:

    - iterations multiply by L / tr L + :data:`SHIFT`, from the identity on and not from a
      decomposition into eigenvectors: a QR of a matrix of this condition is unique and smooth,
      and directions without gradients stay where they are;
    - columns are ordered by eigenvalues rounded to 9 %, so that equal ones stay in their order;
    - Adam divides by no less than :data:`FLOOR` of what it divides by in the same matrix.

    It differs from pytorch-optimizer's, which took 1.5 times as long on a processor, in that
    every matrix of a stack has a separate basis, and in that the first moment lives in the
    basis and turns with it, so that nothing is turned twice. arXiv:2409.11321.

    :param params: parameters, or groups of them.
    :param betas: decay of the moments.
    :param shampoo_beta: decay b of L and R; None is that of the second moment.
    :param weight_decay: decoupled: weights shrink by the learning rate times this.
    :param precondition_frequency: steps from one basis to the next.
    :param max_precondition_dim: longest side that gets a basis.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        shampoo_beta: float | None = None,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        precondition_frequency: int = 10,
        max_precondition_dim: int = 512,
    ) -> None:
        decays = [*betas, betas[1] if shampoo_beta is None else shampoo_beta]
        if not all(0.0 <= beta < 1.0 for beta in decays):
            raise ValueError(f"betas and shampoo_beta must be in [0, 1), not {decays}")
        if eps < 0.0:
            raise ValueError(f"eps must be at least 0, not {eps}")
        if precondition_frequency < 1:
            raise ValueError(
                f"precondition_frequency must be 1 or more, not {precondition_frequency}"
            )
        options = {
            "lr": lr,
            "betas": betas,
            "shampoo_beta": shampoo_beta,
            "eps": eps,
            "weight_decay": weight_decay,
            "precondition_frequency": precondition_frequency,
            "max_precondition_dim": max_precondition_dim,
        }
        super().__init__(params, options)
        self._stacks: list[Stack] = []

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        moving = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        known = [p for stack in self._stacks for p in stack.parameters]
        # other parameters may have a gradient than before, or another state have been loaded
        if set(map(id, moving)) != set(map(id, known)) or not all(
            stack.holds(self.state) for stack in self._stacks
        ):
            self._stacks = list(self._make_stacks())
        for stack in self._stacks:
            stack.step()
        return loss

    def _make_stacks(self) -> Iterator[Stack]:
        """Matrices of one shape and age together: a few large products instead of many."""
        for group in self.param_groups:
            alike: dict[tuple[Any, ...], list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    age = self.state[parameter].get("step")
                    kind = (*_shape(parameter)[1:], age, parameter.dtype, parameter.device)
                    alike.setdefault(kind, []).append(parameter)
            for parameters in alike.values():
                yield Stack(parameters, [self.state[p] for p in parameters], group)


class Stack:
    """Matrices of one shape [n, rows, columns], and what is known of their gradients.

    :param states: of the parameters, empty before the first step; they become views of the stack.
    :param group: options.
    """

    def __init__(
        self, parameters: list[Tensor], states: list[dict[str, Any]], group: dict[str, Any]
    ) -> None:
        self.parameters, self.states, self.group = parameters, states, group
        self.shapes = [_shape(p) for p in parameters]
        self.fresh = not states[0]
        if self.fresh:
            self.tensors = self._start()
            for state in states:
                state["step"] = 0
        else:
            names = [name for name in states[0] if name != "step"]
            self.tensors = {name: torch.cat([state[name] for state in states]) for name in names}
        self.sides = [side for side in SIDES if f"basis{side}" in self.tensors]
        for name, tensor in self.tensors.items():
            for state, part in zip(states, self._split(tensor), strict=True):
                state[name] = part
        self.views = [state["moment"] for state in states]
        self._prepare()

    def holds(self, states: Mapping[Any, Mapping[str, Any]]) -> bool:
        """Whether the states of its parameters are still its views."""
        pairs = zip(self.parameters, self.views, strict=True)
        return all(states[p].get("moment") is view for p, view in pairs)

    def step(self) -> None:
        """Take the gradients in, and move the parameters."""
        pairs = zip(self.parameters, self.shapes, strict=True)
        g = torch.cat([p.grad.reshape(shape) for p, shape in pairs if p.grad is not None])
        if self.fresh:
            self.fresh = False
            self._measure(g)
            for side in self.sides:
                basis = self.tensors[f"basis{side}"]
                basis.diagonal(dim1=1, dim2=2).fill_(1.0)
                for _ in range(FIRST_ROUNDS):
                    basis.copy_(self._improved(side, FIRST_SHIFT)[0])
            self._prepare()
            return
        for state in self.states:
            state["step"] += 1
        steps = self.states[0]["step"]
        changes = self._split(self._out_of_basis(self._adam(self._into_basis(g), steps)))
        shrinking = 1.0 - self.group["lr"] * self.group["weight_decay"]
        for parameter, change in zip(self.parameters, changes, strict=True):
            if shrinking != 1.0:
                parameter.mul_(shrinking)
            parameter.sub_(change.view_as(parameter))
        self._measure(g)
        if steps % self.group["precondition_frequency"] == 0:
            for side in self.sides:
                self._turn(side)
            self._prepare()

    def _start(self) -> dict[str, Tensor]:
        n, *sizes = sum(shape[0] for shape in self.shapes), *self.shapes[0][1:]
        fresh = self.parameters[0]
        tensors = {name: fresh.new_zeros(n, *sizes) for name in ("moment", "square")}
        for side, size in enumerate(sizes):
            if sizes[1] > 1 and 1 < size <= self.group["max_precondition_dim"]:
                for name in ("statistics", "basis"):
                    tensors[f"{name}{side}"] = fresh.new_zeros(n, size, size)
        return tensors

    def _split(self, tensor: Tensor) -> tuple[Tensor, ...]:
        parts: tuple[Tensor, ...] = tensor.split([shape[0] for shape in self.shapes])
        return parts

    def _prepare(self) -> None:
        # libraries for processors are slow at products with transposed matrices
        if 1 in self.sides:
            self.backwards = self.tensors["basis1"].transpose(1, 2).contiguous()

    def _measure(self, g: Tensor) -> None:
        """L and R take the gradient in."""
        decay = self.group["shampoo_beta"]
        decay = self.group["betas"][1] if decay is None else decay
        transposed = g.transpose(1, 2)
        factors = ((g, transposed.contiguous()), (transposed, g))
        for side in self.sides:
            self.tensors[f"statistics{side}"].baddbmm_(
                *factors[side], beta=decay, alpha=1.0 - decay
            )

    def _into_basis(self, g: Tensor) -> Tensor:
        """Uᵀ g V."""
        if 0 in self.sides:
            g = torch.bmm(self.tensors["basis0"].transpose(1, 2), g)
        return torch.bmm(g, self.tensors["basis1"]) if 1 in self.sides else g

    def _out_of_basis(self, g: Tensor) -> Tensor:
        """U g Vᵀ."""
        if 0 in self.sides:
            g = torch.bmm(self.tensors["basis0"], g)
        return torch.bmm(g, self.backwards) if 1 in self.sides else g

    def _adam(self, g: Tensor, steps: int) -> Tensor:
        """The change of Adam, in the basis."""
        (beta1, beta2), tensors, group = self.group["betas"], self.tensors, self.group
        tensors["moment"].lerp_(g, 1.0 - beta1)
        tensors["square"].mul_(beta2).addcmul_(g, g, value=1.0 - beta2)
        size = group["lr"] * math.sqrt(1.0 - beta2**steps) / (1.0 - beta1**steps)
        roots = tensors["square"].sqrt()
        if self.sides:
            roots += FLOOR * roots.amax((1, 2), keepdim=True)
        change: Tensor = tensors["moment"] / roots.add_(group["eps"])
        return change.mul_(size)

    def _improved(self, side: int, shift: float) -> tuple[Tensor, Tensor]:
        """One power iteration: the next basis, and which column of the old one each is from."""
        statistics, old = self.tensors[f"statistics{side}"], self.tensors[f"basis{side}"]
        trace = statistics.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
        tiny = torch.finfo(trace.dtype).tiny  # a weight that never had a gradient keeps its basis
        image = torch.bmm(statistics / trace.clamp(min=tiny), old).add_(old, alpha=shift)
        # the greatest eigenvalue first: QR leaves the directions of the first columns
        octaves = (old * image).sum(dim=1).log2()
        order = octaves.mul_(8.0).round_().argsort(dim=1, descending=True, stable=True)
        return torch.linalg.qr(image.gather(2, order[:, None, :].expand_as(image)))[0], order

    def _turn(self, side: int) -> None:
        """The next basis of one side, and the moments in it."""
        tensors, old = self.tensors, self.tensors[f"basis{side}"]
        new, order = self._improved(side, SHIFT)
        shape = [-1, 1, 1]
        shape[1 + side] = order.shape[1]
        places = order.view(shape).expand_as(tensors["square"])
        tensors["square"].copy_(tensors["square"].gather(1 + side, places))
        turned = torch.bmm(new.transpose(1, 2), old)
        moment = tensors["moment"]
        if side == 0:
            moment.copy_(torch.bmm(turned, moment))
        else:
            moment.copy_(torch.bmm(moment, turned.transpose(1, 2).contiguous()))
        old.copy_(new)


def _shape(weight: Tensor) -> list[int]:
    """n, rows, columns; what has one dimension, apart from those of 1, is a column."""
    shape = [size for size in weight.shape if size > 1]
    if len(shape) < 2:
        return [1, weight.numel(), 1]
    return [math.prod(shape[:-2]), *shape[-2:]]


def cost(weight: Tensor, group: Mapping[str, Any]) -> float:
    """Of a step, as measured on a CPU: products with the bases, now and then a QR, calls."""
    n, *sizes = _shape(weight)
    sides = [size for size in sizes if sizes[1] > 1 and 1 < size <= group["max_precondition_dim"]]
    work = math.prod(sizes) * (50 + sum(sides)) + sum(size**3 for size in sides) / 4
    return 5e5 + n * work


OPTIMIZER = OptimizerKind(SOAP, shaping=("max_precondition_dim",), cost=cost)

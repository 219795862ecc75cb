"""Adam in the eigenbasis of Shampoo's preconditioner, for stacks of matrices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

SIDES = (0, 1)
"""Rows and columns of a matrix."""


class SOAP(Optimizer):
    """Adam, run in a basis that turns slowly with the gradients (Vyas et al., ICLR 2025).

    A weight of two or more dimensions is a stack of matrices: its last two dimensions are rows
    and columns. For each matrix with gradient G::

        L <- b L + (1 - b) G Gᵀ       R <- b R + (1 - b) Gᵀ G

    and the columns of U and V are the eigenvectors of L and R, improved by one power iteration
    and a QR decomposition every ``precondition_frequency`` steps. Adam sees Uᵀ G V, and its step
    is turned back. Weights of fewer dimensions have plain Adam. The first step only measures.

    It differs from the authors' and from pytorch-optimizer's (which need several times as long
    on a processor) in that every matrix of a stack has a basis of its own, and in that the first
    moment lives in the basis and turns with it, so that nothing is turned twice. arXiv:2409.11321.

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

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        g = _stacked(gradient)
        decay = group["betas"][1] if group["shampoo_beta"] is None else group["shampoo_beta"]
        if not state:
            _start(state, g, group["max_precondition_dim"])
            _measure(state, g, decay)
            for side in SIDES:
                if f"basis{side}" in state:
                    eigenvectors = torch.linalg.eigh(state[f"statistics{side}"])[1]
                    state[f"basis{side}"] = eigenvectors.flip(2)
            return
        state["step"] += 1
        change = _adam(state, _into_basis(state, g), group)
        parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
        parameter.sub_(_out_of_basis(state, change).view_as(parameter))
        _measure(state, g, decay)
        if int(state["step"]) % group["precondition_frequency"] == 0:
            for side in SIDES:
                if f"basis{side}" in state:
                    _turn(state, side)


def _stacked(gradient: Tensor) -> Tensor:
    """[n, rows, columns]; what has one dimension, apart from those of 1, is a column."""
    shape = [size for size in gradient.shape if size > 1]
    if len(shape) < 2:
        return gradient.reshape(1, -1, 1)
    return gradient.reshape(-1, *shape[-2:])


def _start(state: dict[str, Any], g: Tensor, longest: int) -> None:
    # on the processor, where reading it costs nothing
    state["step"] = torch.zeros((), dtype=torch.float32)
    state["moment"] = torch.zeros_like(g)
    state["square"] = torch.zeros_like(g)
    if g.shape[2] == 1:
        return
    for side in SIDES:
        size = g.shape[1 + side]
        if 1 < size <= longest:
            state[f"statistics{side}"] = g.new_zeros(g.shape[0], size, size)
            state[f"basis{side}"] = g.new_zeros(g.shape[0], size, size)


def _measure(state: dict[str, Any], g: Tensor, decay: float) -> None:
    """L and R take the gradient in."""
    transposed = g.transpose(1, 2)
    for side, (a, b) in enumerate(((g, transposed.contiguous()), (transposed, g))):
        if f"statistics{side}" in state:
            state[f"statistics{side}"].baddbmm_(a, b, beta=decay, alpha=1.0 - decay)


def _into_basis(state: dict[str, Any], g: Tensor) -> Tensor:
    """Uᵀ g V."""
    if "basis0" in state:
        g = torch.bmm(state["basis0"].transpose(1, 2), g)
    return torch.bmm(g, state["basis1"]) if "basis1" in state else g


def _out_of_basis(state: dict[str, Any], g: Tensor) -> Tensor:
    """U g Vᵀ."""
    if "basis0" in state:
        g = torch.bmm(state["basis0"], g)
    if "basis1" not in state:
        return g
    # libraries for processors are slow at products with transposed matrices
    return torch.bmm(g, state["basis1"].transpose(1, 2).contiguous())


def _adam(state: dict[str, Any], g: Tensor, group: dict[str, Any]) -> Tensor:
    """The change of Adam, in the basis."""
    beta1, beta2 = group["betas"]
    step = float(state["step"])
    state["moment"].lerp_(g, 1.0 - beta1)
    state["square"].mul_(beta2).addcmul_(g, g, value=1.0 - beta2)
    size = group["lr"] * math.sqrt(1.0 - beta2**step) / (1.0 - beta1**step)
    change: Tensor = state["moment"] / state["square"].sqrt().add_(group["eps"])
    return change.mul_(size)


def _turn(state: dict[str, Any], side: int) -> None:
    """The next basis of one side, and the moments in it."""
    old = state[f"basis{side}"]
    image = torch.bmm(state[f"statistics{side}"], old)
    # the greatest eigenvalue first: QR leaves the directions of the first columns
    order = (old * image).sum(dim=1).argsort(dim=1, descending=True, stable=True)
    image = image.gather(2, order[:, None, :].expand_as(image))
    new = torch.linalg.qr(image)[0]
    shape = [-1, 1, 1]
    shape[1 + side] = order.shape[1]
    places = order.view(shape).expand_as(state["square"])
    state["square"] = state["square"].gather(1 + side, places)
    turned = torch.bmm(new.transpose(1, 2), old)
    if side == 0:
        state["moment"] = torch.bmm(turned, state["moment"])
    else:
        state["moment"] = torch.bmm(state["moment"], turned.transpose(1, 2).contiguous())
    state[f"basis{side}"] = new

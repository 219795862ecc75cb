"""orthogonalised momentum for matrices (Jordan et al., 2024), AdamW for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Muon, Optimizer

from mtt.training.optimizers.kind import OptimizerKind


class MuonAdamW(Optimizer):
    """torch's Muon over the groups with ``matrices: True``, torch's AdamW over the others.

    One optimizer to the outside: one list of groups, one state. ``adjust_lr_fn`` is
    ``match_rms_adamw`` (Liu et al., arXiv:2502.16982) unless given, with which both kinds of
    groups take the same learning rate and weight decay.

    :param params: groups, each with ``matrices``: whether all of its parameters are 2-D.
    :param eps: of Muon's normalisation.
    :param betas, adamw_eps: of AdamW.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = "match_rms_adamw",
        betas: tuple[float, float] = (0.9, 0.999),
        adamw_eps: float = 1e-8,
        fused: bool | None = None,
    ) -> None:
        common: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay}
        groups = list(params)
        matrices = [group for group in groups if group["matrices"]]
        others = [group for group in groups if not group["matrices"]]
        self._parts: list[Optimizer] = []
        if matrices:
            muon = Muon(
                matrices,
                **common,
                momentum=momentum,
                nesterov=nesterov,
                ns_coefficients=ns_coefficients,
                eps=eps,
                ns_steps=ns_steps,
                adjust_lr_fn=adjust_lr_fn,
            )
            self._parts.append(muon)
        if others:
            adamw = AdamW(others, **common, betas=betas, eps=adamw_eps, fused=fused)
            self._parts.append(adamw)
        super().__init__([g for part in self._parts for g in part.param_groups], common)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            # at every step: load_state_dict replaces both
            wanted = isinstance(part, Muon)
            part.state = self.state
            part.param_groups = [g for g in self.param_groups if g["matrices"] is wanted]
            part.step()
        return loss


def cost(weight: Tensor, group: Mapping[str, Any]) -> float:
    """Of a step: of a matrix, products with its shorter side."""
    return weight.numel() * (min(weight.shape) if group["matrices"] else 1.0)


OPTIMIZER = OptimizerKind(MuonAdamW, by_matrix=True, cost=cost)

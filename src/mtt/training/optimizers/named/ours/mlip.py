"""AMSGrad of the mlip library, over bias-corrected second moments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mtt.training.optimizers.kind import OptimizerKind


class CorrectedAMSGrad(Optimizer):
    """Adam whose second moments, after their bias correction, never fall (Reddi et al., ICLR 2018).

    With m and v the moving averages of gradient and squared gradient at step t::

        v_max = max(v_max, v / (1 - beta2**t))
        weights -= lr * m / (1 - beta1**t) / (sqrt(v_max) + eps)

    as optax has it. torch's ``Adam(amsgrad=True)`` takes the maximum of v itself, which is
    small in the first steps whatever the gradients are, and corrects afterwards. Here a large
    gradient of the first steps lowers the rate of its weight for good.

    :param params: parameters, or groups of them.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        if not all(0.0 <= beta < 1.0 for beta in betas):
            raise ValueError(f"betas must be in [0, 1), not {betas}")
        if eps < 0.0:
            raise ValueError(f"eps must be at least 0, not {eps}")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                self._update(parameters, group)
        return loss

    def _update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        gradients = [p.grad for p in parameters if p.grad is not None]
        states = [self._state(p) for p in parameters]
        torch._foreach_add_([state["step"] for state in states], 1.0)
        counts = [float(state["step"]) for state in states]
        first = [state["exp_avg"] for state in states]
        second = [state["exp_avg_sq"] for state in states]
        largest = [state["max_exp_avg_sq"] for state in states]
        torch._foreach_lerp_(first, gradients, 1.0 - beta1)
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, gradients, gradients, 1.0 - beta2)
        torch._foreach_maximum_(largest, torch._foreach_div(second, [1 - beta2**n for n in counts]))
        scales = torch._foreach_sqrt(largest)
        torch._foreach_add_(scales, group["eps"])
        steps = [-group["lr"] / (1.0 - beta1**n) for n in counts]
        torch._foreach_addcdiv_(parameters, first, scales, steps)

    def _state(self, parameter: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())  # on the CPU: counting needs no synchronisation
            for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"):
                state[name] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        return state


OPTIMIZER = OptimizerKind(
    CorrectedAMSGrad,
    decay="gradient",
    # mlip's recipe: warm-up from, to and annealing at the same rate unless given
    sets={
        "learning_rate": 0.01,
        "scheduler": {
            "name": "linear",
            "warmup_steps": 4000,
            "warmup_from": 1.0,
            "steps": 360_000,
            "min_factor": 1.0,
        },
        "grad_clip_norm": 500.0,
        "ema": {"decay": 0.99},
    },
)

"""Constants that are cast to the network's precision and keep their own."""

from typing import Callable, Self

import torch
from torch import Tensor


class Constant(torch.nn.Module):
    """A table of numbers that is not learned and not stored in checkpoints.

    It follows the dtype and device of the model that owns it, always rounded from float64,
    so that ``model.float().double()`` has the same numbers as ``model.double()``.
    """

    values: Tensor

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self._exact = values.to(torch.float64).contiguous()
        self.register_buffer("values", self._exact.to(torch.get_default_dtype()), False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        self.values = self._exact.to(dtype=self.values.dtype, device=self.values.device)
        return self

    def forward(self) -> Tensor:
        return self.values

    def times(self, x: Tensor) -> Tensor:
        """x @ values in the precision of the values, also where autocast is on.

        Expansions that cancel, such as those of radial functions, would lose all digits.
        """
        if not torch.jit.is_scripting():  # noqa: SIM102  TorchScript reads one without `and`
            if torch.is_autocast_enabled(x.device.type):
                with torch.autocast(x.device.type, enabled=False):
                    return x.to(self.values.dtype) @ self.values
        return x @ self.values

    def extra_repr(self) -> str:
        return f"shape={list(self.values.shape)}"

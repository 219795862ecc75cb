"""Numbers that stay in float64 whatever precision the network takes."""

from typing import Callable, Self

import torch
from torch import Tensor


class ExactTable(torch.nn.Module):
    """A float64 buffer ``values`` that follows the module's device, never its dtype.

    Total energies of -10⁴ eV leave no millielectronvolts to float32.
    """

    values: Tensor

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.register_buffer("values", values.to(torch.float64))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        exact = self.values
        super()._apply(fn, recurse)
        self.values = exact.to(self.values.device)
        return self

    def forward(self, index: Tensor) -> Tensor:
        """Rows of the table, float64."""
        return self.values[index]

    def extra_repr(self) -> str:
        return f"shape={list(self.values.shape)}"

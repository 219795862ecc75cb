"""Tensors that a model uses and that do not move with it."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mtt.testing import systems
from mtt.testing.checks.cost import place_of
from mtt.testing.failure import CheckFailed
from mtt.testing.subject import Subject


def check_tensors(subject: Subject) -> None:
    """Predictions use no tensor of a module that is neither a parameter nor a buffer."""
    model = subject.model()
    registered = {place_of(each) for each in [*model.parameters(), *model.buffers()]}
    with _Used() as used:
        subject.predict(systems.ordinary(subject.elements))
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            for leaf in tree_leaves(value):
                if not isinstance(leaf, Tensor) or place_of(leaf) in registered:
                    continue
                if place_of(leaf) in used.places and leaf.numel() > 0:
                    what = f"{'.'.join(filter(None, [path, name]))} is, or holds, a plain tensor"
                    raise CheckFailed(what, where=type(module).__name__)


class _Used(TorchDispatchMode):
    """Remembers the storage of the inputs of all operations."""

    def __init__(self) -> None:
        super().__init__()
        self.places: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = tree_leaves((args, kwargs))
        self.places |= {place_of(leaf) for leaf in inputs if isinstance(leaf, Tensor)}
        return func(*args, **(kwargs or {}))

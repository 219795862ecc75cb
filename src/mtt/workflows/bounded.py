"""A model that is built from a file: no larger than its weights explain; errors name the file.

Options that are made up can ask for layers of any size and number, of which a small file says
nothing: they are counted while the model is built, before their memory is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from mtt.checkpoint.format import ARCHITECTURE, n_bytes
from mtt.data.memory import lacks_memory
from mtt.errors import CheckpointError, MttError

SLACK = 2**28
"""Bytes that tables, which are not stored, may take on top of ten times the stored tensors."""

MANY = 20_000
"""Tensors that a model may be made of; large ones have a thousand or two."""

_HINT = "the options in it (model_hypers, dataset_info) are not those of its weights"
_MISREAD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, MemoryError,
            RuntimeError)  # fmt: skip
_FACTORIES: frozenset[Callable[..., Any]] = frozenset(
    getattr(torch, name)
    for name in ("empty", "zeros", "ones", "full", "rand", "randn", "eye", "arange", "linspace")
)


@contextmanager
def bounded_by(checkpoint: Mapping[str, Any], where: str = "") -> Iterator[None]:
    """Around code that builds the model of ``checkpoint``.

    :param where: the file.
    :raises CheckpointError: it asks for much more than the weights beside it, or holds what its
        architecture cannot read.
    """
    limit = SLACK + 10 * n_bytes(checkpoint)
    reader = f"the architecture {checkpoint.get(ARCHITECTURE)!r}"
    with read_by(reader, where), _Counting(limit, where):
        yield


@contextmanager
def read_by(reader: str, where: str) -> Iterator[None]:
    """Errors of code that reads what a file holds name that file.

    :param reader: who reads it, for the message.
    :raises CheckpointError: the file holds something else than what the code expects.
    """
    try:
        yield
    except MttError as error:
        found = [
            one if where in one.where else one._replace(where=f"{where} {one.where}".strip())
            for one in error.problems
        ]
        raise type(error).collect(found) from error
    except _MISREAD as error:
        if lacks_memory(error):
            what, hint = "no memory is left for the model that it asks for", _HINT
        else:
            first = str(error).strip().partition("\n")[0]
            what = f"holds what {reader} cannot read ({type(error).__name__}: {first})"
            hint = "it was altered, or is of other code; --debug shows where"
        raise CheckpointError(what, where=where, hint=hint) from error


class _Counting(TorchFunctionMode):
    """Counts the tensors that are made, and refuses the one that is too much."""

    def __init__(self, limit: int, where: str) -> None:
        super().__init__()
        self._limit, self._where = limit, where
        self._bytes = self._tensors = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if func in _FACTORIES and "out" not in named:
            self._tensors += 1
            self._bytes += _size(func, args, named)
            if self._bytes > self._limit or self._tensors > MANY:
                what = f"asks for a model of more than {self._limit:,} bytes or {MANY:,} tensors"
                raise CheckpointError(what, where=self._where, hint=_HINT)
        return func(*args, **named)


def _size(func: Callable[..., Any], args: tuple[Any, ...], named: Mapping[str, Any]) -> int:
    """Bytes of a tensor that is yet to be made; no memory is taken, no random number drawn."""
    kept = {key: value for key, value in named.items() if key not in ("generator", "pin_memory")}
    made: torch.Tensor = func(*args, **(kept | {"device": "meta"}))
    return made.numel() * made.element_size()

"""The pickle in a torch file, inspected before it is loaded: a small one can become huge.

torch's safe loader runs no code of the file, but calls ``bytearray(10**12)`` or encodes an
encoded text once more where a file says so, and knows values that hold themselves.
"""

from __future__ import annotations

import pickletools
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

MAX_DEPTH = 200
"""Levels of values in each other; torch's own pickles have ten."""

SLACK = 2**17
"""Values, and bytes, that are allowed on top of ten times the size of the pickle."""

SHOWN = 2**28
"""Bytes that expanded tensors, which repeat what they store, may show."""


class _Global(NamedTuple):
    name: str


class _Bytes(NamedTuple):
    size: int


def wrong_calls(pickle: bytes) -> str:
    """The part of ``pickle`` that requests unbounded memory; empty if there is none.

    Follows the opcodes that torch's safe loader knows and calls nothing.

    :raises ValueError: it is not a pickle; also IndexError, KeyError, AttributeError, TypeError.
    """
    stack: list[Any] = []
    marked: list[list[Any]] = []
    memo: dict[int, Any] = {}
    left = 10 * len(pickle) + SLACK
    for op, arg, _ in pickletools.genops(pickle):
        if op.name == "MARK":
            marked.append(stack)
            stack = []
        elif op.name in ("TUPLE", "APPENDS", "SETITEMS"):
            items, stack = stack, marked.pop()
            if op.name == "TUPLE":
                stack.append(tuple(items))
            elif op.name == "APPENDS":
                stack[-1].extend(items)
        elif op.name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            n = int(op.name[-1])
            stack[-n:] = [tuple(stack[-n:])]
        elif op.name == "APPEND":
            item = stack.pop()
            stack[-1].append(item)
        elif op.name == "SETITEM":
            del stack[-2:]
        elif op.name == "BUILD":
            stack.pop()
        elif op.name in ("REDUCE", "NEWOBJ"):
            arguments, called = stack.pop(), stack.pop()
            made = _made_by(called, arguments)
            if made is None:
                return f"calls {called.name} in a way that torch never writes"
            left -= made.size
            if left < 0:
                return "makes more of its texts and lists than it holds"
            stack.append(made)
        elif op.name in ("BINPUT", "LONG_BINPUT"):
            memo[int(arg or 0)] = stack[-1]
        elif op.name == "BINPERSID":
            stack[-1] = None
        elif op.stack_before:
            return ""  # torch does not know it either, and says so
        elif op.stack_after:
            stack.append(_pushed(op.name, arg, memo))
    return ""


def _pushed(opcode: str, argument: Any, memo: Mapping[int, Any]) -> Any:
    if opcode in ("BINGET", "LONG_BINGET"):
        return memo[argument]
    if opcode == "GLOBAL":
        return _Global(argument.replace(" ", "."))
    return [] if opcode == "EMPTY_LIST" else () if opcode == "EMPTY_TUPLE" else argument


def _made_by(called: Any, arguments: Any) -> _Bytes | None:
    """The size of what a call makes of its arguments; None if torch never writes such a call."""
    name = called.name.rpartition(".")[2]
    if name == "encode":  # of bytes, as the second protocol of pickles writes them
        fits = len(arguments) == 2 and isinstance(arguments[0], str) and arguments[1] == "latin1"
        return _Bytes(len(arguments[0])) if fits else None
    if name == "bytearray":
        bytes_of_it = arguments[0] if arguments else _Bytes(0)
        return bytes_of_it if isinstance(bytes_of_it, _Bytes) else None
    if name == "set":
        items = arguments[0] if arguments else []
        return _Bytes(32 * len(items)) if isinstance(items, list) else None
    if name in ("OrderedDict", "Counter"):
        return None if arguments else _Bytes(0)
    if name == "Size":
        return _Bytes(8 * len(arguments[0]))
    if name.endswith(("Tensor", "Storage")):
        return None  # tensors are made by torch._utils, of storages in the file
    return _Bytes(0)


def wrong_content(value: Any, pickle_size: int) -> str:
    """Why ``value``, loaded from a pickle of that many bytes, is not to be used; empty if it is.

    A list that is named many times takes no memory, and all time to walk through.
    """
    left, shown = 10 * pickle_size + SLACK, 0
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        inner: list[Any] = []
        if isinstance(item, Mapping):
            inner = [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set):
            inner = list(item)
        elif isinstance(item, torch.Tensor):
            if item.is_meta or item.is_nested:
                return "holds a tensor without values"
            shown += _repeated(item)
        left -= len(inner)
        if left < 0 or depth > MAX_DEPTH:
            return "holds values that hold each other many times over"
        if shown > SHOWN:
            return f"holds tensors that repeat their values, to more than {SHOWN:,} bytes"
        waiting += [(one, depth + 1) for one in inner]
    return ""


def _repeated(tensor: torch.Tensor) -> int:
    """Bytes that a tensor shows beyond those that it stores."""
    if tensor.layout != torch.strided:
        return 0
    return max(0, tensor.numel() * tensor.element_size() - tensor.untyped_storage().nbytes())

"""The content of a checkpoint as JSON and a list of tensors, and back, without any loss.

JSON knows null, true, numbers, texts, lists and objects with texts as keys; those represent
themselves. Every other value is an object of one entry whose name begins with ``$``::

    {"$tensor": {"dtype": "float64", "shape": [3, 2], "member": "tensors/0"}}
    {"$float": "nan"}    {"$tuple": [1, 2]}    {"$dict": [[1, -13.6], [8, -432.1]]}
"""

from __future__ import annotations

import base64
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from mtt.checkpoint.format import foreign_values

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.bool, torch.uint8, torch.uint16, torch.uint32, torch.uint64),
        *(torch.int8, torch.int16, torch.int32, torch.int64),
        *(torch.float8_e4m3fn, torch.float8_e5m2, torch.float16, torch.bfloat16),
        *(torch.float32, torch.float64, torch.complex64, torch.complex128),
    )
}
"""Of tensors that can be stored: those of whole bytes, by name."""

Tensors = dict[str, torch.Tensor]
"""Tensors by the name of the member that holds them."""

_TENSORS = (torch.Tensor, torch.nn.Parameter)
_ITEMS: dict[type, str] = {tuple: "$tuple", torch.Size: "$size"}
_PAIRS: dict[type, str] = {dict: "$dict", OrderedDict: "$ordered"}
_TEXTS: dict[type, tuple[str, Callable[[Any], str]]] = {
    float: ("$float", str),
    complex: ("$complex", str),
    bytes: ("$bytes", lambda value: base64.b64encode(value).decode()),
    bytearray: ("$bytearray", lambda value: base64.b64encode(value).decode()),
    torch.dtype: ("$dtype", lambda value: str(value).removeprefix("torch.")),
    torch.device: ("$device", str),
}


def unstorable(content: Any) -> Iterator[tuple[str, str]]:
    """``(path, why)`` of everything in ``content`` that :func:`encode` cannot store."""
    yield from foreign_values(content)
    yield from _odd_values(content, "")


def encode(value: Any, tensors: Tensors) -> Any:
    """``value`` in the types of JSON; its tensors are added to ``tensors``.

    :param value: without any of :func:`unstorable`.
    """
    kind = type(value)
    if kind in _TENSORS:
        member = f"tensors/{len(tensors)}"
        tensors[member] = value.detach()
        dtype = str(value.dtype).removeprefix("torch.")
        return {"$tensor": {"dtype": dtype, "shape": list(value.shape), "member": member}}
    if kind in (type(None), bool, int, str) or (kind is float and math.isfinite(value)):
        return value
    if kind in _TEXTS:
        tag, text = _TEXTS[kind]
        return {tag: text(value)}
    if kind is dict and all(type(key) is str and not key.startswith("$") for key in value):
        return {key: encode(item, tensors) for key, item in value.items()}
    if kind in _PAIRS:
        pairs = [[encode(key, tensors), encode(item, tensors)] for key, item in value.items()]
        return {_PAIRS[kind]: pairs}
    items = [encode(item, tensors) for item in value]
    if kind is set:  # whose order is not the same in two processes
        return {"$set": sorted(items, key=json.dumps)}
    return items if kind is list else {_ITEMS[kind]: items}


def decode(value: Any, tensor: Callable[[Any], torch.Tensor]) -> Any:
    """What :func:`encode` was given.

    :param tensor: gives the tensor of a ``$tensor``.
    :raises ValueError: ``value`` is nothing that :func:`encode` returns; also TypeError,
        LookupError, RuntimeError and RecursionError.
    """
    if isinstance(value, list):
        return [decode(item, tensor) for item in value]
    if not isinstance(value, dict):
        return value
    tag = next((key for key in value if key.startswith("$")), None)
    if tag is None:
        return {key: decode(item, tensor) for key, item in value.items()}
    if len(value) > 1:
        raise ValueError(f"{tag} does not stand alone")
    if tag == "$tensor":
        return tensor(value[tag])
    if tag not in _DECODERS:
        raise ValueError(f"unknown kind of value {tag}")
    return _DECODERS[tag](decode(value[tag], tensor))


def to_bytes(tensor: torch.Tensor) -> memoryview:
    """Values in C order, little-endian."""
    # a conjugate or negative view has its own values only once they are written out
    flat = tensor.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def from_bytes(values: bytes, dtype: torch.dtype, shape: list[int]) -> torch.Tensor:
    """The tensor whose :func:`to_bytes` are ``values``."""
    if not values:  # torch.frombuffer takes no empty buffer
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(bytearray(values), dtype=dtype).reshape(shape)


def same_values(written: torch.Tensor, read: torch.Tensor) -> bool:
    """Whether two tensors are equal bit for bit, NaN included."""
    same_kind = (written.dtype, written.shape) == (read.dtype, read.shape)
    return same_kind and to_bytes(written.detach()) == to_bytes(read)


def _odd_values(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """What a pickle can hold and the bytes of an archive cannot."""
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.dtype not in DTYPES.values():
            yield path, f"a tensor of {value.dtype} in the layout {value.layout}"
    elif isinstance(value, torch.dtype):
        if value not in DTYPES.values():
            yield path, str(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _odd_values(item, f"{path}[{key!r}]" if path else str(key))
    elif isinstance(value, list | tuple | set):
        for i, item in enumerate(value):
            yield from _odd_values(item, f"{path}[{i}]")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "$float": float,
    "$complex": complex,
    "$bytes": _bytes,
    "$bytearray": lambda text: bytearray(_bytes(text)),
    "$dtype": lambda name: DTYPES[name],
    "$device": torch.device,
    "$tuple": tuple,
    "$set": set,
    "$size": torch.Size,
    "$dict": dict,
    "$ordered": OrderedDict,
}

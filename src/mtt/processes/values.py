"""Plain values that ranks exchange: bytes of the same length on all of them."""

from __future__ import annotations

import pickle
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from mtt.ranks import RankError

HEAD = 512
"""Bytes of the first message; what is longer needs a second one."""
_LENGTH = 8


def gathered(value: Any, size: int) -> list[Any]:
    """``value`` of every rank; it must be possible to pickle it.

    Ranks are processes of one job, which run the same code: what they send is trusted.
    """
    own = _packed(value)
    heads = _all(_padded(own, HEAD), size)
    lengths = [int.from_bytes(bytes(head[:_LENGTH].tolist()), "little") for head in heads]
    rest = max(lengths) - HEAD
    if rest <= 0:
        return [_unpacked(head) for head in heads]
    rests = _all(_padded(own[HEAD:], rest), size)
    return [_unpacked(torch.cat(parts)) for parts in zip(heads, rests, strict=True)]


def broadcasted(value: Any, is_first: bool) -> Any:
    """``value`` of the first rank; that of the others is not looked at."""
    own = _packed(value) if is_first else _packed(None)
    head = _padded(own, HEAD)
    dist.broadcast(head, 0)
    rest = int.from_bytes(bytes(head[:_LENGTH].tolist()), "little") - HEAD
    if rest <= 0:
        return value if is_first else _unpacked(head)
    tail = _padded(own[HEAD:], rest)
    dist.broadcast(tail, 0)
    return value if is_first else _unpacked(torch.cat([head, tail]))


def portable(error: BaseException) -> BaseException:
    """``error``, or what is left of it, so that other processes can have it."""
    try:
        back = pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - errors of any package; what they say is kept
        return RankError(f"{type(error).__name__}: {error}")
    return error if type(back) is type(error) else RankError(str(error))


def _packed(value: Any) -> bytes:
    content = pickle.dumps(value)
    return (_LENGTH + len(content)).to_bytes(_LENGTH, "little") + content


def _unpacked(message: Tensor) -> Any:
    content = message.numpy().tobytes()
    length = int.from_bytes(content[:_LENGTH], "little")
    return pickle.loads(content[_LENGTH:length])


def _padded(content: bytes, length: int) -> Tensor:
    message = torch.zeros(length, dtype=torch.uint8)
    part = content[:length]
    if part:
        message[: len(part)] = torch.frombuffer(bytearray(part), dtype=torch.uint8)
    return message


def _all(message: Tensor, size: int) -> list[Tensor]:
    found = [torch.empty_like(message) for _ in range(size)]
    dist.all_gather(found, message)
    return found

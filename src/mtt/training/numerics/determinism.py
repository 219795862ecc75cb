"""Bitwise repeatable sums, on devices where they are not anyway."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Let torch take deterministic algorithms only within the block, if ``wanted``.

    Slower on CUDA. An operation that has no such algorithm raises RuntimeError there.
    """
    if not wanted:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    # read by cuBLAS when its first handle is made; torch refuses to multiply without it
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)

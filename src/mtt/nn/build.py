"""Building a model: one precision, one seed, and nothing left behind."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch

_building: ContextVar[bool] = ContextVar("building", default=False)
# the generators and the default dtype belong to the process: one thread builds at a time
_turn = threading.Lock()


@contextmanager
def building(seed: int, dtype: torch.dtype) -> Iterator[None]:
    """Within the block, new tensors have ``dtype`` and random numbers follow from ``seed``.

    ``with building(seed=1, dtype=torch.float32): model = Model(hypers, info)`` gives the same
    weights every time. Afterwards, also after an error, torch's default dtype and the global
    generators of torch, numpy and Python are what they were (CUDA's too, where it is in use
    when the block begins). A block within a block has no effect: the outermost one decides.

    :param dtype: a floating point type.
    """
    if _building.get():
        yield
        return
    token = _building.set(True)
    try:
        with _turn, _preserved():
            torch.set_default_dtype(dtype)
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.default_generator.manual_seed(seed)
            if torch.cuda.is_initialized():
                torch.cuda.manual_seed_all(seed)
            yield
    finally:
        _building.reset(token)


@contextmanager
def _preserved() -> Iterator[None]:
    """Put back the default dtype and the states of the global generators at the end."""
    dtype = torch.get_default_dtype()
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    # asking for their states would start CUDA where nothing uses it
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)

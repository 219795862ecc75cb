"""What a model runs on: device and precision, from the user's wish and the machine."""

from __future__ import annotations

import socket

import torch

from mtt.errors import ConfigError
from mtt.interface import ModelInterface
from mtt.ranks import Ranks

_PRECISIONS = {64: torch.float64, 32: torch.float32, 16: torch.float16}


def choose_device(wish: str | None, model: type[ModelInterface]) -> torch.device:
    """The device that the user names, else the model's first choice that is here.

    :raises ConfigError: the device is not here, or the model does not support it.
    """
    supported = model.__supported_devices__
    if wish is None:
        kinds = [kind for kind in supported if _is_here(kind)]
    elif wish == "multi-gpu":
        kinds = [kind for kind in supported if kind == "cuda" and _is_here(kind)]
    elif wish == "gpu":
        kinds = [kind for kind in supported if kind != "cpu" and _is_here(kind)]
    else:
        kind = torch.device(wish).type
        if kind not in supported:
            names = ", ".join(supported)
            raise ConfigError(
                f"{model.__name__} does not run on {kind!r}",
                where="device",
                hint=f"it supports: {names}",
            )
        kinds = [wish] if _is_here(kind) else []
    if not kinds:
        raise ConfigError(
            f"no {wish or 'supported'} device on this machine",
            where="device",
            hint=f"the model supports {', '.join(supported)}; leave the option out to take "
            "what is there",
        )
    return torch.device(kinds[0])


def of_rank(device: torch.device, ranks: Ranks) -> torch.device:
    """The device of this rank: each takes a GPU of its machine, by its number there.

    A launcher that shows one GPU to each process has chosen already.

    :raises ConfigError: there are more ranks on a machine than GPUs; the device is one GPU, or
        of a kind that cannot be shared out. Raised on all ranks.
    """
    if ranks.size == 1 or device.type == "cpu":
        return device
    problem, name = "", ""
    n = torch.cuda.device_count()
    if device.type != "cuda" or ":" in str(device):
        problem = f"{device} is one device, and there are {ranks.size} ranks"
    elif ranks.local >= n != 1:
        problem = f"{socket.gethostname()} has {n} GPUs and at least {ranks.local + 1} ranks"
    else:
        device = torch.device("cuda", ranks.local if n > 1 else 0)
        name = f"{socket.gethostname()} {torch.cuda.get_device_properties(device).uuid}"
    found = ranks.gather((problem, name))
    names = [name for _, name in found if name]
    if len({*names}) < len(names):
        problem = "several ranks have the same GPU"
    problem = next((other for other, _ in found if other), problem)
    if problem:
        hint = "start as many processes on a machine as it has GPUs: --nproc gpu, --ntasks-per-node"
        raise ConfigError(problem, where="device", hint=hint)
    torch.cuda.set_device(device)
    return device


def choose_dtype(wish: int | None, model: type[ModelInterface]) -> torch.dtype:
    """The precision that the user names in bits, else the model's first choice.

    :raises ConfigError: the model does not support it.
    """
    supported = model.__supported_dtypes__
    if wish is None:
        return supported[0]
    dtype = _PRECISIONS[wish]
    if dtype not in supported:
        bits = ", ".join(str(torch.finfo(known).bits) for known in supported)
        raise ConfigError(
            f"{model.__name__} does not support {wish} bits",
            where="base_precision",
            hint=f"it supports: {bits}",
        )
    return dtype


def _is_here(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available()
    if kind == "mps":
        return torch.backends.mps.is_available()
    return kind == "cpu"

"""Mixed precision and TF32: what a device can do, and the switches for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch

from mtt.errors import ConfigError, Problem
from mtt.options.training import SECTION, TrainingOptions

AUTOCAST_DTYPES: Mapping[str | None, torch.dtype | None] = {
    None: None,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
"""What the option ``amp`` means for ``mtt.mlip.networks.PlainNetwork``."""


def check_precision(options: TrainingOptions, device: torch.device, dtype: torch.dtype) -> None:
    """Refuse what this device, or the model's own precision, cannot do.

    Nothing is left out silently: autocast leaves float64 alone, and TF32 changes nothing but
    products of float32 on newer NVIDIA cards, so that both would be asked for in vain.

    :param options: ``amp``, ``tf32`` and those of ``stages``.
    :param dtype: of the model's weights.
    :raises ConfigError: one problem for each option.
    """
    wishes = {f"{SECTION}.amp": options.amp}
    if options.stages:
        wishes = {}
        for i, stage in enumerate(options.stages):
            where = f"{SECTION}.stages[{i}].amp" if "amp" in stage.own else f"{SECTION}.amp"
            wishes[where] = stage.options.amp
    problems = [
        found._replace(where=where)
        for where, amp in wishes.items()
        if amp is not None and (found := _amp_problem(amp, device, dtype))
    ]
    if options.tf32 and (found := _tf32_problem(device, dtype)):
        problems.append(found._replace(where=f"{SECTION}.tf32"))
    if problems:
        raise ConfigError.collect(problems)


def make_scaler(amp: str | None, device: torch.device) -> torch.amp.GradScaler | None:
    """The loss scaling that ``fp16`` needs, whose gradients would vanish below 6e-8.

    bf16 has the range of float32 and needs none.
    """
    return torch.amp.GradScaler(device.type) if amp == "fp16" else None


@contextmanager
def tf32(wanted: bool, device: torch.device) -> Iterator[None]:
    """Within the block, float32 products on ``device`` are rounded to TF32 if ``wanted``.

    Otherwise not, in matrix products and convolutions alike (torch's own default is to round
    in convolutions). The process's settings are put back in any case.
    """
    if device.type != "cuda":
        yield
        return
    # torch's annotations do not know these
    backends = cast("Any", torch.backends)
    cudnn = backends.cudnn
    places = (backends.cuda.matmul, backends.mkldnn.matmul, cudnn.conv, cudnn.rnn)
    before = [place.fp32_precision for place in places]
    # torch has an older interface to the same, which cannot be read where the two disagree
    matmul = _or(torch.get_float32_matmul_precision, "highest" if before[0] == "tf32" else "high")
    convolutions = _or(lambda: cudnn.allow_tf32, before[2] != "tf32")
    torch.set_float32_matmul_precision("high" if wanted else "highest")
    cudnn.allow_tf32 = wanted
    cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision = "tf32" if wanted else "ieee"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        cudnn.allow_tf32 = convolutions
        for place, value in zip(places, before, strict=True):
            place.fp32_precision = value


def _or(read: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return read()
    except RuntimeError:
        return otherwise


def _amp_problem(amp: str, device: torch.device, dtype: torch.dtype) -> Problem | None:
    if dtype != torch.float32:
        bits = 8 * dtype.itemsize
        return Problem(
            f"mixed precision works on float32; the model has {bits} bits",
            hint="set base_precision: 32" + ("" if bits == 16 else ", or leave amp out"),
        )
    if not torch.amp.is_autocast_available(device.type):
        return Problem(f"torch has no mixed precision on {device.type}", hint="set amp: null")
    if amp == "bf16" and device.type == "cuda":
        with torch.cuda.device(device):
            if not torch.cuda.is_bf16_supported(including_emulation=False):
                name = torch.cuda.get_device_name()
                return Problem(f"{name} does not compute in bfloat16", hint="set amp: fp16")
    return None


def _tf32_problem(device: torch.device, dtype: torch.dtype) -> Problem | None:
    hint = "set tf32: false"
    if device.type != "cuda":
        return Problem(f"there is no TF32 on {device.type}", hint=hint)
    if dtype != torch.float32:
        return Problem(
            f"TF32 rounds products of float32; the model has {8 * dtype.itemsize} bits", hint=hint
        )
    with torch.cuda.device(device):
        if not torch.cuda.is_tf32_supported():
            return Problem(f"{torch.cuda.get_device_name()} has no TF32", hint=hint)
    return None

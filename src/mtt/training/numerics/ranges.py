"""Labels and scales whose numbers over- or underflow, before any of them is trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from mtt.data.storage.columns import layout
from mtt.errors import ConfigError, DataError, Problem
from mtt.options.training import BaselineOptions
from mtt.training.options.defaults import SECTION

if TYPE_CHECKING:
    from mtt.data import Dataset

LARGEST = 1e150
"""Of a label: squares of larger ones are beyond float64 (1.8e308)."""

SMALLEST = 1e-30
"""Where all labels of a target are smaller, their squares are zero in float32 (1.2e-38)."""

_PARTS = {"values": "", "forces": " forces", "strain": " strain derivatives"}


class _Extreme(NamedTuple):
    """The largest label of one part of a target, and the structure that has it."""

    name: str
    value: float
    source: str


def check_ranges(datasets: Sequence[Dataset], options: BaselineOptions, dtype: torch.dtype) -> None:
    """Whether the labels, and the labels in units of given scales, can be squared.

    :param dtype: of the network.
    :raises DataError: labels are beyond what can be squared; names target, file and frame.
    :raises ConfigError: a scale of ``fixed_scaling_weights`` takes them there.
    """
    scales = options.given_scales
    names = dict.fromkeys(name for one in datasets for name in one.info.targets)
    wrong, scaled = [], []
    for name in names:
        found = [one for dataset in datasets for one in _extremes(dataset, name)]
        wrong += list(_label_problems(name, found))
        if not wrong and name in scales:
            scaled += list(_scale_problems(name, found, float(scales[name]), dtype))
    if wrong:
        raise DataError.collect(wrong)
    if scaled:
        raise ConfigError.collect(scaled)


def _label_problems(name: str, found: Sequence[_Extreme]) -> Iterator[Problem]:
    unit = "is the unit right, and is the file whole?"
    for part in dict.fromkeys(one.name for one in found):
        worst = max((one for one in found if one.name == part), key=lambda one: one.value)
        if worst.value > LARGEST:
            what = f"{part} of {worst.value:.3g} overflow: their squares are beyond all numbers"
            yield Problem(what, worst.source, unit)
    most = max(found, key=lambda one: one.value, default=None)
    if most is not None and 0 < most.value < SMALLEST:
        what = f"all labels of {name} underflow: none is larger than {most.value:.3g}"
        yield Problem(what, most.source, unit)


def _scale_problems(
    name: str, found: Sequence[_Extreme], scale: float, dtype: torch.dtype
) -> Iterator[Problem]:
    most = max(found, key=lambda one: one.value, default=None)
    if most is None or not most.value or scale <= 0:  # the latter is refused elsewhere
        return
    limits = torch.finfo(dtype)
    ratio = most.value / scale if scale > most.value / 1e300 else math.inf
    where = f"{SECTION}.fixed_scaling_weights.{name}"
    numbers = f"labels of up to {most.value:.3g}, divided by the scale {scale:.3g}"
    hint = "leave it out, or give a scale of the size of the forces"
    precision = str(dtype).removeprefix("torch.")
    if ratio > math.sqrt(limits.max):
        yield Problem(f"{numbers}, overflow in {precision}", where, hint)
    elif ratio < math.sqrt(limits.tiny):
        yield Problem(f"{numbers}, underflow in {precision}", where, hint)


def _extremes(dataset: Dataset, name: str) -> Iterator[_Extreme]:
    """Extreme values of every part of the target that has labels."""
    specs = layout(dataset.info)
    for part, words in _PARTS.items():
        spec = specs.get(f"{part}:{name}")
        best, where = -1.0, -1
        chunks = dataset.columns.chunks(dataset.structures) if spec is not None else ()
        for chunk in chunks:
            assert spec is not None, "no chunks otherwise"
            rows = dataset.columns.take(f"{part}:{name}", chunk, per_atom=spec.per_atom)
            sizes = torch.nan_to_num(rows.double().abs().flatten(1), nan=-1.0).amax(1)
            if len(sizes) and float(sizes.max()) > best:
                best, row = float(sizes.max()), int(sizes.argmax())
                ends = dataset.columns.n_atoms[chunk].cumsum()
                row = int(np.searchsorted(ends, row, side="right")) if spec.per_atom else row
                where = int(chunk[row])
        if best >= 0:
            yield _Extreme(f"{name}{words}", best, dataset.columns.source(where))

"""Weights of structures in the loss, from the options of a data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtt.data.files.raw_frame import RawFrame
from mtt.data.findings import Findings
from mtt.data.frames import Float
from mtt.data.labels.find_key import Section, look_up
from mtt.data.labels.keys import existing, scalars


def structure_weights(
    systems: Sequence[RawFrame], weight: float | str | None, findings: Findings
) -> list[float]:
    """The weight of every structure, finite and not negative.

    :param weight: of all of them, or the key of a number in the file; None: 1.
    :param findings: takes the mistakes. Where there are any, the result is of no use.
    """
    if not isinstance(weight, str):
        return [1.0 if weight is None else float(weight)] * len(systems)
    section = Section("weight", weight, False, True, lambda value, _: _weight(value), _shape)
    there = [weight in frame.per_structure for frame in systems]
    found = look_up(section, systems, [False] * len(systems), findings, [])
    for frame, known in zip(systems, there, strict=True):
        if found is not None and not known:
            keys = existing(frame.per_structure, "per structure")
            hint = "write 1 where a structure weighs no more and no less than usual"
            findings.add(frame, f"no {weight!r} for weight", f" ({keys})", hint)
    return [1.0] * len(systems) if found is None else [float(one[0, 0]) for one in found]


def _weight(value: object) -> Float:
    weight = scalars(value, 1, 1)
    if np.isnan(weight).any():
        raise ValueError("not a number: nan")
    if (weight < 0).any():
        raise ValueError(f"negative: {weight[0, 0]:g}")
    return weight


def _shape(_: int) -> tuple[int, int]:
    return (1, 1)

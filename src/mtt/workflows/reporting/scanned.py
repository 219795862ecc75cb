"""What a scan of the data finds, for the report of a training, where its time allows a scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtt.data import Dataset
from mtt.errors import DataError
from mtt.interface import ModelInterface
from mtt.scanning import Finding, scan

_PER_ATOM = 2e-5  # seconds of a scan on one core
_SHOWN = 3  # places of a finding
_FRAMES = 8  # of a place


def scanned(
    parts: Mapping[str, Sequence[Dataset]],
    model: ModelInterface,
    baseline: Mapping[str, Any] | None,
    seconds: float,
) -> dict[str, Any]:
    """``found``: findings as plain values, the worst first; or ``problem``, why there is no scan.

    The files are not read again: keys of theirs that nothing reads are not among the findings.

    :param baseline: ``atomic_baseline`` of the options.
    :param seconds: that a scan may take.
    """
    n_atoms = sum(int(one.n_atoms.sum()) for sets in parts.values() for one in sets)
    if n_atoms * _PER_ATOM > seconds:
        why = "it would exceed the time limit of this report"
        return {"problem": f"The data were not scanned: {why}"}
    infos = [one.info for sets in parts.values() for one in sets]
    length = infos[0].length_unit
    lists = model.requested_neighbor_lists()
    cutoff = max((float(one.engine_cutoff(length)) for one in lists), default=None)
    try:
        found = scan(parts, cutoff=cutoff, baseline=baseline)
    except DataError as error:
        return {"problem": f"The data were not scanned: {error}"}
    return {"found": [_plain(one) for one in found]}


def _plain(finding: Finding) -> dict[str, Any]:
    where = [
        {"part": one.part, "file": one.file, "frames": list(one.frames[:_FRAMES]),
         "more": max(0, len(one.frames) - _FRAMES)}
        for one in finding.places[:_SHOWN]
    ]  # fmt: skip
    return {
        "check": finding.check,
        "severity": finding.severity,
        "what": finding.what,
        "advice": finding.advice,
        "where": where,
        "elsewhere": max(0, len(finding.places) - _SHOWN),
    }

"""All that a report shows of one run, as plain values: what could be read of its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mtt.data.info import DatasetInfo
from mtt.evaluation.metrics import units
from mtt.report.kept import Kept

Row = Mapping[str, float | None]


class Mark(NamedTuple):
    """Something that happened after an epoch.

    :param kind: ``"best"``, ``"restart"``, ``"stage"`` or ``"stopped"``.
    """

    epoch: int
    kind: str
    text: str


@dataclass(frozen=True)
class RunData:
    """One run.

    :param name: how several runs are distinguished.
    :param facts: what ``mtt show`` says of the folder.
    :param rows: numbers of each epoch, by column; None where one is not finite.
    :param options: all of them, spelled out; None where they cannot be read.
    :param meaning: the same with all defaults and today's names; None where they are not
        understood.
    :param defaults: of the same architecture; None where they are not known.
    :param environment: machine, packages and state of the git repository.
    :param kept: predictions and facts of the data; None before the end of a training.
    :param log: the last lines of ``train.log``.
    :param warnings: texts of the warnings in it.
    :param energy: joules that were used, by what counted them.
    :param missing: what could not be read, in sentences.
    """

    name: str
    folder: Path
    facts: Mapping[str, Any]
    rows: Sequence[Row] = ()
    marks: Sequence[Mark] = ()
    info: DatasetInfo | None = None
    options: Mapping[str, Any] | None = None
    meaning: Mapping[str, Any] | None = None
    defaults: Mapping[str, Any] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    command: Mapping[str, Any] = field(default_factory=dict)
    kept: Kept | None = None
    log: Sequence[str] = ()
    warnings: Sequence[str] = ()
    energy: Mapping[str, float] = field(default_factory=dict)
    missing: Sequence[str] = ()

    @property
    def state(self) -> str:
        """In words: ``finished``, ``running``, ``stopped`` …"""
        return str(self.facts.get("state", "unknown"))

    @property
    def units(self) -> dict[str, str]:
        """Name of an error (``"energy RMSE"``) to the unit that it is shown in."""
        return {} if self.info is None else units(self.info, extended=True)

    @property
    def seconds(self) -> float | None:
        """Of all epochs together."""
        found = [row["seconds"] for row in self.rows if row.get("seconds") is not None]
        return sum(one for one in found if one is not None) if found else None

    @property
    def final_errors(self) -> dict[str, dict[str, float]]:
        """Errors of the best weights, by part and by name with unit; empty where not known."""
        errors = self.facts.get("errors") or {}
        evaluation = errors.get("evaluation") or {}
        found = {
            part: {name: value for name, value in one.items() if isinstance(value, float | int)}
            for part, one in evaluation.items()
            if isinstance(one, Mapping)
        }
        best = errors.get("best_validation")
        if not found and isinstance(best, Mapping):
            known = {k: v for k, v in best.items() if k not in ("epoch", "loss") and v is not None}
            found = {"validation": {k: float(v) for k, v in known.items()}}
        return {part: one for part, one in found.items() if one}

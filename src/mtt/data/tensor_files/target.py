"""The labels of one target from its ``.mts`` file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtt.data.files.raw_frame import RawFrame
from mtt.data.findings import Findings, files_of
from mtt.data.frames import Float, FrameLabels
from mtt.data.info import POSITIONS, STRAIN, TargetInfo
from mtt.data.tensor_files.gradients import gradients_of
from mtt.data.tensor_files.pairs import pairs_of
from mtt.data.tensor_files.read import load, rows_of, strangers
from mtt.data.tensor_files.values import values_of
from mtt.errors import DataError
from mtt.options.values import ReadFrom


class TensorFiles:
    """Reads labels of ``systems``.

    :param numbers: what a file calls each of them: its place among the structures of the files
        that hold these.
    :param total: how many structures those files hold.
    :param findings: takes the mistakes. Where there are any, results are of no use.
    """

    def __init__(
        self,
        systems: Sequence[RawFrame],
        numbers: Sequence[int],
        total: int,
        findings: Findings,
    ) -> None:
        self._systems, self._numbers, self._total = systems, numbers, total
        self._findings = findings
        self.notices: list[str] = []

    def target(
        self, section: str, info: TargetInfo, read_from: ReadFrom, wanted: Sequence[str] = ()
    ) -> tuple[list[FrameLabels], tuple[str, ...]]:
        """Labels of every structure, and those of the derivatives ``wanted`` that the file has."""
        nothing = [FrameLabels(np.full((1, *info.shape), np.nan))] * len(self._systems)
        try:
            file, tensor = load(read_from)
            where = f"{file} {section}"
            rows = rows_of(tensor, info, where)
        except DataError as error:
            self._findings.add_problems(error.problems)
            return nothing, ()
        names, problem = strangers(rows, self._total, file, where)
        if problem is not None:
            self._findings.add_problems([problem])
            return nothing, ()
        of_number = {number: i for i, number in enumerate(self._numbers)}
        place = of_number
        if names:
            place = {k: of_number[n] for k, n in names.items() if n in of_number}
        if info.per_pair:
            found, incomplete = pairs_of(rows, info, self._systems, place, self._findings)
            self._tell_incomplete(section, file, "pairs", incomplete)
            self._tell(section, file, [len(pairs) > 0 for pairs, _ in found])
            return [FrameLabels(values, pairs=pairs) for pairs, values in found], ()
        values, incomplete = values_of(rows, info, self._systems, place, self._findings)
        self._tell_incomplete(section, file, "atoms", incomplete)
        self._tell(section, file, [bool(np.isfinite(one).any()) for one in values])
        slopes: dict[str, list[Float]] = {}
        for name in wanted:
            try:
                one = gradients_of(name, rows, info, self._systems, place, where, self._findings)
            except DataError as error:
                self._findings.add_problems(error.problems)
                continue
            if one is not None:
                slopes[name] = one
        none = [None] * len(values)
        parts = slopes.get(POSITIONS, none), slopes.get(STRAIN, none)
        labels = [FrameLabels(*each) for each in zip(values, *parts, strict=True)]
        return labels, tuple(name for name in (POSITIONS, STRAIN) if name in slopes)

    def _tell_incomplete(self, section: str, file: str, what: str, n: int) -> None:
        if n:
            why = "with numbers in some of their blocks, not in all, do not count"
            self.notices.append(f"{file}: {section}: {what} {why} ({n})")

    def _tell(self, section: str, file: str, labelled: Sequence[bool]) -> None:
        """A notice of structures without any label."""
        missing = len(labelled) - sum(labelled)
        if missing == len(labelled):
            of = files_of(self._systems)
            what = f"{file} has no label of {section} for any structure of {of}"
            self._findings.add_problems(DataError(what).problems)
        elif missing:
            n = len(labelled)
            self.notices.append(f"{file}: {section} has no label in {missing} of {n} structures")

"""``mtt eval --report``: a page of an evaluation, like that of a training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import torch
from metatomic.torch import AtomisticModel

from mtt.checkpoint import describe
from mtt.checkpoint.temporary import replace_text
from mtt.data import Dataset
from mtt.data.statistics import statistics
from mtt.errors import CheckpointError, ConfigError
from mtt.evaluation import Report
from mtt.evaluation.outputs import with_units_of
from mtt.fetching import is_address
from mtt.interface import ModelInterface
from mtt.report.collect import Collector, Limits
from mtt.report.compose import compose_evaluation
from mtt.report.sections.evaluated import Evaluation
from mtt.report.summarize import summarize
from mtt.stopping import stop_if_asked
from mtt.workflows.reporting.environment import environment
from mtt.workflows.reporting.write import MOST_COUNTED, plain_statistics

_LIMITS = Limits(structures=10**9, atoms=1_000_000)


class EvaluationPage:
    """Collects predictions, and writes the page once all data sets are predicted.

    :param source: the model as it was named; a model itself where it was none.
    :param datasets: with their names or files; equal names get numbers.
    """

    def __init__(
        self,
        path: str | Path,
        source: Any,
        model: ModelInterface | AtomisticModel,
        device: str,
        datasets: Sequence[tuple[str, Dataset]],
    ) -> None:
        self._path, self._source, self._device = Path(path), source, device
        self.names = numbered([PurePath(name).name for name, _ in datasets])
        sets = [with_units_of(model, dataset) for _, dataset in datasets]
        self._sets = dict(zip(self.names, sets, strict=True))
        self._collector = Collector({name: [one] for name, one in self._sets.items()}, _LIMITS)
        self.followers = [self._collector.of(name) for name in self.names]

    def write(
        self, reports: Sequence[Report], files: Sequence[Sequence[str]], by: str | None
    ) -> None:
        """Write the page.

        :param reports: of each data set.
        :param files: that were written of each data set.
        :param by: a key of the structures that errors are divided by, whatever its values are.
        :raises ConfigError: it cannot be written.
        :raises Stopped: a signal came.
        """
        stop_if_asked()
        found, sets = self._collector.found, self._sets
        totals = {name: len(one) for name, one in sets.items()}
        facts: dict[str, Any] = {"length_unit": next(iter(sets.values())).info.length_unit}
        facts["statistics"] = {
            name: plain_statistics(statistics(one))
            for name, one in sets.items()
            if 0 < len(one) <= MOST_COUNTED
        }
        kept = summarize(found, totals, {}, _LIMITS, facts, by)
        name, model = _described(self._source)
        machine = environment(torch.device(self._device))
        of = dict(zip(self.names, reports, strict=True))
        written = dict(zip(self.names, files, strict=True))
        text = compose_evaluation(Evaluation(name, kept, of, written, model, machine))
        stop_if_asked()
        try:
            replace_text(self._path, text)
        except OSError as error:
            what = f"cannot be written: {error.strerror}"
            hint = "name another file with --report"
            raise ConfigError(what, where=str(self._path), hint=hint) from error
        stop_if_asked()


def check_page(path: Path) -> None:
    """Whether the name is that of a page.

    :raises ConfigError: it has another suffix.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        hint = f"--report {path.with_suffix('.html')}"
        raise ConfigError("a report is an HTML file", where=f"--report {path}", hint=hint)


def numbered(names: Sequence[str]) -> list[str]:
    """``names``, those that occur more than once with their number."""
    often = Counter(names)
    return [f"{name} ({i})" if often[name] > 1 else name for i, name in enumerate(names, start=1)]


def _described(source: Any) -> tuple[str, dict[str, Any]]:
    """Name and facts of the model that was evaluated."""
    if not isinstance(source, str | Path):
        return type(source).__name__, {}
    if is_address(source):
        return str(source), {"file": str(source)}
    try:
        return Path(source).name, describe(source)
    except CheckpointError:
        return Path(source).name, {"file": str(source)}

"""The results of a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mtt.errors import ConfigError
from mtt.evaluation import Report
from mtt.workflows.following.history import History
from mtt.workflows.reporting.report import report


@dataclass(frozen=True)
class TrainResult:
    """The results of a training.

    :param model: the exported model; None after a dry run, as the others.
    :param checkpoint: latest and best weights, and all that a restart needs.
    :param directory: the run folder.
    :param reports: errors of the best weights, by part (``"validation"``).
    :param history: a row of metrics per epoch, also of those before a restart.
    """

    model: Path | None = None
    checkpoint: Path | None = None
    directory: Path | None = None
    reports: dict[str, Report] = field(default_factory=dict)
    history: History = field(default_factory=History)

    def report(self) -> Path:
        """The page with the curves, errors and worst structures of the run; it is made again.

        :return: ``report.html`` in the run folder.
        :raises MttError: there is no run, as after a dry run, or the page cannot be written.
        """
        if self.directory is None:
            raise ConfigError("there is no report: nothing was trained")
        return report([self.directory])

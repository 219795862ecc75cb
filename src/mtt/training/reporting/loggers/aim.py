"""a run of Aim, in a local repository or on a server."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtt.errors import Problem, TrainingError
from mtt.training.reporting.logger_kind import LoggerKind, missing_extra, run_name
from mtt.training.reporting.tags import tags

if TYPE_CHECKING:
    import aim

logger = logging.getLogger(__name__)

ID = "aim.id"
"""File of the run folder with the hash of the Aim run, which a restart continues."""


class AimLogger:
    """Logs every epoch; a restarted run continues its curves.

    A curve is called like ``forces RMSE [meV/Å]``; its context has the part of the data as
    ``subset``: ``training``, ``validation``, ``test``, ``system``.

    :param folder: the run folder.
    :param settings: ``repo``, ``experiment``, ``run_name``, ``tags``.
    :param config: the options of the run: its parameters ``options``.
    :raises TrainingError: Aim cannot start the run.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], config: Mapping[str, Any]
    ) -> None:
        known = folder / ID
        self._is_new = not known.is_file()
        repo = settings.get("repo") or str(folder.resolve().parents[1])  # the folder of all runs
        try:
            self._run = _open(None if self._is_new else known.read_text(encoding="utf-8"), repo)
            if self._is_new:
                self._begin(folder, settings, config)
                known.write_text(self._run.hash, encoding="utf-8")
            self._run["state"] = "running"
        except (RuntimeError, OSError, ValueError) as error:
            raise TrainingError(
                f"Aim does not start ({error})",
                where="aim",
                hint="check aim.repo: a folder, or a server such as aim://localhost:53800",
            ) from error
        self._state = "failed"
        self._epoch = 0
        logger.info("Aim: run %s in %s", self._run.hash, repo)

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        self._epoch = max(self._epoch, epoch)
        if category == "run_start" and self._is_new:
            for row in values["history"]:
                self._log(tags(row, values["units"]), int(row["epoch"]))
        elif category == "epoch":
            numbers = tags(values["metrics"], values["units"])
            self._log(numbers, epoch)
            if values["is_best"]:
                self._run["best"] = {"epoch": epoch, **_plain(numbers)}
        elif category == "system":
            rates = {name: v for name, v in values["metrics"].items() if name != "seconds"}
            self._log(tags(rates, values["units"], "system"), epoch)
        elif category == "test":
            numbers = tags(values["metrics"], values["units"], "test")
            self._log(numbers, epoch)
        elif category == "end":
            self._state = "finished"

    def keep_figure(self, path: Path) -> None:
        """Show a picture of the report at the last epoch."""
        import aim

        image = aim.Image(str(path), caption=path.stem)
        context = {"subset": "report"}
        self._run.track(image, name=path.stem, step=self._epoch, context=context)

    def close(self) -> None:
        """Complete the run; one that did not reach its end has the state ``failed``."""
        self._run["state"] = self._state
        if self._state == "finished":
            self._run.report_successful_finish()
        self._run.close()

    def _begin(self, folder: Path, settings: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """Name and options of a new run."""
        self._run.experiment = settings.get("experiment") or "mtt"
        self._run.name = settings.get("run_name") or run_name(folder)
        for tag in settings.get("tags") or ():
            self._run.add_tag(str(tag))
        self._run["options"] = _plain(config)

    def _log(self, numbers: Mapping[str, float], epoch: int) -> None:
        for tag, value in numbers.items():
            subset, name = tag.split("/", 1)
            context = {"subset": subset}
            self._run.track(float(value), name=name, step=epoch, epoch=epoch, context=context)


def _open(identity: str | None, repo: str) -> aim.Run:
    """A new run, or the one with this hash."""
    import aim
    from aim.sdk.lock_manager import RunLockingError

    # `system` events have speed and memory, train.log has the output
    settings = {"repo": repo, "system_tracking_interval": None, "capture_terminal_logs": False}
    try:
        return aim.Run(identity, **settings)
    except RunLockingError:
        # a run that was killed on another machine left its lock; the run folder is ours alone
        return aim.Run(identity, force_resume=True, **settings)


def _plain(values: Mapping[str, Any]) -> Any:
    """What JSON holds of ``values``, which is what Aim stores."""
    return json.loads(json.dumps(values, default=str))


def make(folder: Path, options: Mapping[str, Any]) -> AimLogger:
    """With the settings of the option."""
    settings = options["aim"] if isinstance(options["aim"], Mapping) else {}
    return AimLogger(folder, settings, options)


def problems(settings: Any) -> list[Problem]:
    """Whether Aim is installed."""
    return missing_extra("aim", "aim", "aim")


LOGGER = LoggerKind(make, has_option=True, problems=problems)

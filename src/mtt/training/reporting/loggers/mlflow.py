"""a run of MLflow, on a server or in a local database."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtt.errors import Problem, TrainingError
from mtt.options.yaml.to_yaml import to_yaml
from mtt.training.reporting.logger_kind import LoggerKind, missing_extra, run_name
from mtt.training.reporting.tags import tags

if TYPE_CHECKING:
    from mlflow.entities import Metric

logger = logging.getLogger(__name__)

ID = "mlflow.id"
"""File of the run folder with the id of the MLflow run, which a restart continues."""

LONGEST = 500
"""Characters of a parameter that every version of MLflow takes."""

SERVER = "MLFLOW_TRACKING_URI"


class MlflowLogger:
    """Logs every epoch; a restarted run continues its curves.

    MLflow allows no brackets in the name of a metric: the units are in the tag ``units``.

    :param folder: the run folder.
    :param settings: ``tracking_uri``, ``experiment``, ``run_name``, ``tags``, ``artifacts``.
    :param config: the options of the run: parameters, and the artifact ``options.yaml``.
    :raises TrainingError: MLflow cannot start the run.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], config: Mapping[str, Any]
    ) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when it is imported
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        self._artifacts = settings.get("artifacts") is not False
        self._state = "FAILED"
        known = folder / ID
        self._is_new = not known.is_file()
        uri = settings.get("tracking_uri") or _default_uri(folder)
        try:
            self._client = MlflowClient(tracking_uri=uri)
            if self._is_new:
                known.write_text(self._create(folder, settings, config), encoding="utf-8")
            self._id = known.read_text(encoding="utf-8").strip()
            self._client.update_run(self._id, status="RUNNING")
        except (MlflowException, OSError) as error:
            raise TrainingError(
                f"MLflow does not start ({error})",
                where="mlflow",
                hint="check mlflow.tracking_uri; a local database is sqlite:///mlflow.db",
            ) from error
        logger.info("MLflow: run %s at %s", self._id, uri)

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "run_start":
            self._client.set_tag(self._id, "units", _units(values["units"]))
            for row in values["history"] if self._is_new else ():
                self._log(tags(row, {}), int(row["epoch"]))
        elif category == "epoch":
            numbers = tags(values["metrics"], {})
            if values["is_best"]:
                best = {f"best/{name}": number for name, number in numbers.items()}
                numbers |= {"best/epoch": epoch, **best}
            self._log(numbers, epoch)
        elif category == "system":
            rates = {name: v for name, v in values["metrics"].items() if name != "seconds"}
            self._log(tags(rates, {}, "system"), epoch)
        elif category == "test":
            self._log(tags(values["metrics"], {}, "test"), epoch)
        elif category == "end":
            self._state = "FINISHED"

    def keep_file(self, path: Path) -> None:
        """Upload a finished file, unless ``artifacts`` is false."""
        if self._artifacts:
            self._client.log_artifact(self._id, str(path))

    def keep_figure(self, path: Path) -> None:
        """Upload a picture of the report, below ``figures``, unless ``artifacts`` is false."""
        if self._artifacts:
            self._client.log_artifact(self._id, str(path), "figures")

    def close(self) -> None:
        """Complete the run; one that did not reach its end is marked as failed."""
        self._client.set_terminated(self._id, self._state)

    def _create(self, folder: Path, settings: Mapping[str, Any], config: Mapping[str, Any]) -> str:
        """The id of a new run that holds the options."""
        from mlflow.entities import Param

        name = settings.get("experiment") or "mtt"
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            local = not settings.get("tracking_uri") and SERVER not in os.environ
            place = (_runs(folder) / "mlflow").as_uri() if local else None
            number = self._client.create_experiment(name, artifact_location=place)
        else:
            number = experiment.experiment_id
        run = self._client.create_run(
            number,
            run_name=settings.get("run_name") or run_name(folder),
            tags={str(key): str(value) for key, value in (settings.get("tags") or {}).items()},
        )
        identity: str = run.info.run_id
        options = [Param(_allowed(key), value[:LONGEST]) for key, value in _flat(config)]
        for start in range(0, len(options), 100):  # the most that one request takes
            self._client.log_batch(identity, params=options[start : start + 100])
        if self._artifacts:
            self._client.log_text(identity, to_yaml(config), "options.yaml")
        return identity

    def _log(self, numbers: Mapping[str, float], epoch: int) -> None:
        now = int(1e3 * time.time())  # ms
        metrics = [_metric(name, value, now, epoch) for name, value in numbers.items()]
        self._client.log_batch(self._id, metrics=metrics)


def _metric(name: str, value: float, now: int, epoch: int) -> Metric:
    from mlflow.entities import Metric

    return Metric(_allowed(name), float(value), now, epoch)


def _allowed(name: str) -> str:
    """The characters that names of metrics and parameters may have on every platform."""
    return re.sub(r"[^\w.\- /]", "_", name)


def _units(units: Mapping[str, str]) -> str:
    """``validation/forces RMSE: meV/Å``, one per line; as much as a tag takes."""
    lines = [
        f"{_allowed(tag)}: {unit}"
        for name, unit in units.items()
        if unit
        for tag in tags({name: 0.0}, {})
    ]
    return "\n".join(lines)[:5000]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested options as ``architecture.training.batch_size`` and text."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            yield f"{prefix}{key}", text


def _runs(folder: Path) -> Path:
    """The folder of all runs, ``outputs``."""
    return folder.resolve().parents[1]


def _default_uri(folder: Path) -> str:
    return os.environ.get(SERVER) or f"sqlite:///{_runs(folder) / 'mlflow.db'}"


def make(folder: Path, options: Mapping[str, Any]) -> MlflowLogger:
    """With the settings of the option."""
    settings = options["mlflow"] if isinstance(options["mlflow"], Mapping) else {}
    return MlflowLogger(folder, settings, options)


def problems(settings: Any) -> list[Problem]:
    """Whether MLflow is installed, with what a local database needs."""
    found = missing_extra("mlflow", "mlflow", "mlflow")
    uri = settings.get("tracking_uri") if isinstance(settings, Mapping) else None
    uri = uri or os.environ.get(SERVER) or "sqlite:"
    if not found and uri.startswith("sqlite:"):
        found = missing_extra("mlflow", "sqlalchemy", "mlflow")
    return found


LOGGER = LoggerKind(make, has_option=True, problems=problems)

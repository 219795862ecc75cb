"""Runs of MLflow in a local database, read back by its client."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from mtt.errors import TrainingError
from mtt.training.reporting.loggers.mlflow import MlflowLogger, problems

pytestmark = pytest.mark.filterwarnings("ignore")  # of MLflow's own dependencies

OPTIONS = {"seed": 1, "architecture": {"name": "soap_bpnn", "training": {"batch_size": 8}}}


@pytest.fixture(scope="module")
def store(
    tmp_path_factory: pytest.TempPathFactory, two_parts: Callable[..., None]
) -> SimpleNamespace:
    """A run of two parts in a database, and MLflow's client for it."""
    tracking = pytest.importorskip("mlflow.tracking")
    pytest.importorskip("sqlalchemy")
    folder = tmp_path_factory.mktemp("mlflow")
    report = folder / "report.html"
    report.write_text("<p>well</p>")
    report.with_suffix(".png").write_bytes(b"a picture")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    place = (folder / "artifacts").as_uri()
    settings = {"tracking_uri": uri, "experiment": "water", "run_name": "first", "tags": {"a": 1}}
    client = tracking.MlflowClient(tracking_uri=uri)
    client.create_experiment("water", artifact_location=place)
    two_parts(lambda: MlflowLogger(folder, settings, OPTIONS), report)
    identity = (folder / "mlflow.id").read_text()
    return SimpleNamespace(client=client, id=identity, run=client.get_run(identity), folder=folder)


def test_mlflow_holds_one_run_with_the_epochs_of_both_parts(store: SimpleNamespace) -> None:
    experiment = store.client.get_experiment_by_name("water")
    (run,) = store.client.search_runs([experiment.experiment_id])
    assert run.info.run_id == store.id

    def curve(name: str) -> list[tuple[int, float]]:
        return [(one.step, one.value) for one in store.client.get_metric_history(store.id, name)]

    assert curve("training/loss") == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert curve("validation/forces RMSE") == [(1, 2.0), (2, 4.0), (3, 8.0)]
    assert curve("system/memory") == [(1, 7.0), (2, 7.0), (3, 7.0)]
    assert curve("test/energy RMSE") == [(3, 7.0)]
    assert curve("best/epoch") == [(3, 3.0)]


def test_mlflow_holds_options_units_tags_and_state(store: SimpleNamespace) -> None:
    data, info = store.run.data, store.run.info
    assert data.params["architecture.training.batch_size"] == "8"
    assert data.params["architecture.name"] == "soap_bpnn"
    assert "validation/forces RMSE: eV/Å" in data.tags["units"].splitlines()
    assert data.tags["a"] == "1"
    assert (info.run_name, info.status) == ("first", "FINISHED")


def test_mlflow_gets_the_finished_files(store: SimpleNamespace) -> None:
    found = {one.path for one in store.client.list_artifacts(store.id)}
    assert found == {"options.yaml", "report.html", "figures"}
    (copy,) = (store.folder / "artifacts").rglob("report.html")
    assert copy.read_text() == "<p>well</p>"
    (figure,) = store.client.list_artifacts(store.id, "figures")
    assert figure.path == "figures/report.png"


def test_a_server_that_is_not_there_is_reported_before_the_training(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    with pytest.raises(TrainingError, match=r"mlflow: MLflow does not start"):
        MlflowLogger(tmp_path, {"tracking_uri": "ftp://nowhere"}, OPTIONS)
    assert not (tmp_path / "mlflow.id").exists()


def test_a_local_database_needs_more_than_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.util.find_spec("json")
    monkeypatch.setattr(
        "mtt.training.reporting.logger_kind.find_spec",
        lambda name: known if name == "mlflow" else None,
    )
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (problem,) = problems(True)
    assert "the package sqlalchemy" in str(problem)
    assert "pip install 'mtt[mlflow]'" in str(problem)
    assert problems({"tracking_uri": "https://mlflow.example.org"}) == []

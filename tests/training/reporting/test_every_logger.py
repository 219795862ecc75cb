"""Every logger that is found writes down the epochs of a run."""

import logging
import time

import pytest

from mtt.discovery import LOGGERS
from mtt.training.reporting.events import Events
from mtt.training.reporting.logger_kind import load_logger

UNITS = {
    "epoch": "", "learning rate": "", "training loss": "", "training forces RMSE": "meV/Å",
    "validation loss": "", "validation forces RMSE": "meV/Å", "seconds": "s",
}  # fmt: skip
ROW = dict(zip(UNITS, [1, 1e-3, 0.8125, 12.0, 0.40625, 9.0, 0.5], strict=True))
OPTIONS = {"aim": True, "mlflow": True, "tensorboard": True, "wandb": {"mode": "offline"}}
QUIET = pytest.mark.filterwarnings("ignore")  # of the dependencies of Aim and MLflow
NAMES = [pytest.param(n, marks=QUIET) if n in ("aim", "mlflow") else n for n in LOGGERS.names()]


def text_of(folder, pattern):
    return b"".join(path.read_bytes() for path in folder.rglob(pattern)).decode("latin-1")


def keys_of(repository):
    """Keys of the only run in Aim's database of names."""
    aimrocks = pytest.importorskip("aimrocks")
    (chunk,) = (repository / "meta" / "chunks").iterdir()
    keys = aimrocks.DB(str(chunk), aimrocks.Options(), read_only=True).iterkeys()
    keys.seek_to_first()
    return b"".join(keys).decode("utf-8", "replace")


CASES = {
    "aim": lambda folder, log: "forces RMSE [meV/Å]" in keys_of(folder / ".aim"),
    "csv": lambda folder, log: "0.8125" in text_of(folder, "train.csv"),
    "history": lambda folder, log: '"training loss": 0.8125' in text_of(folder, "history.jsonl"),
    "line": lambda folder, log: "epoch 1/1  loss 0.8125 | 0.4062" in log,
    "table": lambda folder, log: "0.8125" in log and "meV/Å" in log,
    "mlflow": lambda folder, log: "training/loss" in text_of(folder, "mlflow.db"),
    "tensorboard": lambda folder, log: "training/loss" in text_of(folder, "events.out.*"),
    "wandb": lambda folder, log: "training/loss" in text_of(folder, "*.wandb"),
}
"""Whether the losses are in the run folder, or in what was logged."""


PACKAGES = {"aim": ("aim",), "mlflow": ("mlflow.tracking", "sqlalchemy")}


@pytest.mark.parametrize("name", NAMES)
def test_every_logger_writes_the_epochs_down(name, tmp_path, caplog, monkeypatch):
    for package in PACKAGES.get(name, ()):
        pytest.importorskip(package)
    here = tmp_path / "2026-01-31" / "12-00-00"
    here.mkdir(parents=True)
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    caplog.set_level(logging.INFO, "mtt")
    events = Events([load_logger(name, "loggers")(here, OPTIONS)])
    run = {"num_epochs": 1, "n_batches": 1, "log_interval": 1, "history": (), "units": UNITS}
    events("run_start", 0, **run)
    events("epoch", 1, metrics=ROW, units=UNITS, is_best=True)
    events("end", 1, best_epoch=1, best_metric=0.40625, metric="loss")
    events.close()
    end = time.monotonic() + 60.0
    while not CASES[name](tmp_path, caplog.text):  # wandb has a process that may write later
        assert time.monotonic() < end, f"{name} wrote nothing"
        time.sleep(0.05)

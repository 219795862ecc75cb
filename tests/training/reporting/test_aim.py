"""Runs of Aim in a local repository, read back by its package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtt.errors import TrainingError
from mtt.training.reporting.loggers.aim import AimLogger, make

pytestmark = pytest.mark.filterwarnings("ignore")  # of Aim's own dependencies

OPTIONS = {
    "seed": 1,
    "aim": True,
    "architecture": {"name": "soap_bpnn", "training": {"batch_size": 8, "compile": None}},
}
SETTINGS = {"experiment": "water", "run_name": "first", "tags": ["H2O"]}


@pytest.fixture(scope="module")
def store(
    tmp_path_factory: pytest.TempPathFactory, two_parts: Callable[..., None]
) -> SimpleNamespace:
    """A run of two parts in the folder of the runs, as Aim's package reads it."""
    aim = pytest.importorskip("aim")
    image = pytest.importorskip("PIL.Image")
    runs = tmp_path_factory.mktemp("outputs")
    folder = runs / "2026-01-31" / "12-00-00"
    folder.mkdir(parents=True)
    report = folder / "report.html"
    image.new("RGB", (4, 2)).save(report.with_suffix(".png"))
    two_parts(lambda: AimLogger(folder, SETTINGS, OPTIONS), report)
    (read,) = indexed(aim.Repo(str(runs)))
    return SimpleNamespace(run=read, id=(folder / "aim.id").read_text(), runs=runs)


def indexed(repo: Any) -> list[Any]:
    """The runs of ``repo``, once they are indexed as ``aim up`` does."""
    manager = pytest.importorskip("aim.sdk.index_manager").RepoIndexManager(repo)
    for name in repo.list_all_runs():
        manager.index(name)
    repo.container_pool.clear()
    return list(repo.iter_runs())


def test_aim_holds_one_run_with_the_epochs_of_both_parts(store: SimpleNamespace) -> None:
    assert store.run.hash == store.id

    def curve(one: Any) -> list[tuple[int, float]]:
        steps, (values, *_) = one.data.numpy()
        return list(zip(steps.tolist(), values.tolist(), strict=True))

    curves = {
        (one.context.to_dict()["subset"], one.name): curve(one) for one in store.run.metrics()
    }
    assert curves["training", "loss"] == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert curves["validation", "forces RMSE [eV/Å]"] == [(1, 2.0), (2, 4.0), (3, 8.0)]
    assert curves["system", "memory"] == [(1, 7.0), (2, 7.0), (3, 7.0)]
    assert curves["test", "energy RMSE [meV]"] == [(3, 7.0)]


def test_aim_holds_options_names_tags_and_state(store: SimpleNamespace) -> None:
    run = store.run
    assert run["options"] == OPTIONS
    assert run["best"]["epoch"] == 3
    assert run["state"] == "finished"
    assert not run.active
    assert (run.experiment, run.name, run.tags) == ("water", "first", ["H2O"])


def test_aim_shows_the_figures_of_the_report(store: SimpleNamespace) -> None:
    context = pytest.importorskip("aim.storage.context").Context({"subset": "report"})
    sequence = store.run.get_image_sequence("report", context)
    ((step, (picture, *_)),) = sequence.data.items()
    assert step == 3
    assert (picture.caption, picture.width, picture.height) == ("report", 4, 2)


def test_a_run_that_stops_early_has_failed_until_a_restart_elsewhere(tmp_path: Path) -> None:
    aim = pytest.importorskip("aim")
    folder = tmp_path / "outputs" / "2026-01-31" / "12-00-00"
    folder.mkdir(parents=True)
    logger = make(folder, OPTIONS)
    logger("epoch", {"metrics": {"training loss": float("nan")}, "units": {}, "is_best": True}, 1)
    logger.close()
    (run,) = indexed(aim.Repo(str(tmp_path / "outputs")))
    assert (run["state"], run.experiment, run.name) == ("failed", "mtt", "2026-01-31_12-00-00")
    lock = tmp_path / "outputs" / ".aim" / "locks" / f"{run.hash}.softlock"
    lock.write_text("1-1-0.0")  # machine, process, time
    logger = make(folder, OPTIONS)
    logger("end", {}, 1)
    logger.close()
    (run,) = indexed(aim.Repo(str(tmp_path / "outputs")))
    assert run["state"] == "finished"


def test_a_repository_that_cannot_be_made_is_reported_before_the_training(tmp_path: Path) -> None:
    pytest.importorskip("aim")
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match=r"aim: Aim does not start"):
        AimLogger(tmp_path, {"repo": str(tmp_path / "file")}, OPTIONS)
    assert not (tmp_path / "aim.id").exists()

"""The report at the end of a training, and during it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import ase.io
import pytest

from mtt import Dataset, train
from mtt.data import read_dataset
from mtt.options import load_eval_options
from mtt.report.kept import KEPT, Kept
from mtt.workflows.reporting.refresh import Refresh
from mtt.workflows.reporting.write import _allowed, _names, write_kept, write_report


def test_report_false_writes_none(tiny_options: dict[str, Any], here: Path) -> None:
    short = {**tiny_options, "report": False, "final_eval": False}
    short["architecture"] = {**short["architecture"], "training": {"num_epochs": 1}}
    result = train(short)
    assert result.directory is not None
    assert not [path.name for path in result.directory.glob("report.*")]
    assert (result.directory / "environment.json").is_file()


@pytest.mark.parametrize(
    ("seconds", "allowed"), [(None, 5.0), (10.0, 5.0), (200.0, 10.0), (1e4, 20.0)]
)
def test_a_report_takes_a_share_of_the_training_and_at_least_some_seconds(
    seconds: float | None, allowed: float, tmp_path: Path
) -> None:
    if seconds is not None:
        rows = [json.dumps({"epoch": i, "seconds": seconds / 2}) for i in (1, 2)]
        (tmp_path / "history.jsonl").write_text("\n".join(rows))
    assert _allowed(tmp_path) == pytest.approx(allowed)


def test_data_sets_have_the_names_of_their_files_where_each_has_one(
    ethanol: Path, here: Path
) -> None:
    frames = ase.io.read(ethanol, ":4")
    for name in ("a.xyz", "b.xyz"):
        ase.io.write(name, frames)

    def read(*files: str) -> Dataset:
        systems = {"read_from": list(files), "length_unit": "angstrom"}
        return read_dataset(load_eval_options({"systems": systems})[0])

    first, second, both = read("a.xyz"), read("b.xyz"), read("a.xyz", "b.xyz")
    assert _names([first, second]) == ["a.xyz", "b.xyz"]
    assert _names([first, first]) == ["data set 1", "data set 2"]
    mixed = both.select([0, 5, 1])  # its first and its last structure are of one file
    assert _names([mixed, second]) == ["data set 1", "b.xyz"]


def test_the_data_of_a_short_training_are_scanned(trained: Path) -> None:
    (run,) = (trained / "outputs").glob("*/*")
    facts = Kept.load(run / KEPT).facts
    assert facts["scan"]["found"]
    assert facts["distances"]["problem"].endswith("structures were not trained on.")


def test_a_running_training_refreshes_its_curves(trained: Path, here: Path) -> None:
    import shutil

    (source,) = (trained / "outputs").glob("*/*")
    run = here / "run"
    shutil.copytree(source, run)
    (run / "report.html").unlink()
    refresh = Refresh(run, interval=0.0)
    refresh("progress", {}, 1)
    assert not (run / "report.html").exists()
    refresh("epoch", {}, 1)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Learning curves" in page
    (run / "report.html").unlink()
    refresh("epoch", {}, 2)  # writing took time, of which it may take one per cent
    assert not (run / "report.html").exists()


def test_a_page_that_cannot_be_written_is_a_warning_with_its_place(
    trained: Path, here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import shutil

    (source,) = (trained / "outputs").glob("*/*")
    run = here / "run"
    shutil.copytree(source, run)
    (run / "report.html").unlink()
    (run / "report.html").mkdir()
    kept = Kept.load(run / KEPT)
    (run / KEPT).unlink()
    (run / KEPT).mkdir()
    with caplog.at_level(logging.WARNING, logger="mtt"):
        write_report(run)
        assert not write_kept(run / KEPT, kept)
    found = [record.getMessage() for record in caplog.records]
    assert [text.partition(" cannot be written: ")[0] for text in found] == [
        f"no report: {run / 'report.html'}", f"no report: {run / KEPT}",
    ]  # fmt: skip
    assert not [path.name for path in run.glob(".*")]

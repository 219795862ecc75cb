"""Pictures of a run for services that show no pages."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtt.report.kept import KEPT
from mtt.workflows.reporting.figures import write_figures

MakeRun = Callable[..., Path]


def test_curves_and_parity_are_drawn_from_the_run_folder(make_run: MakeRun) -> None:
    run = make_run("a", without=("model.ckpt",))
    drawn = write_figures(run)
    assert [path.name for path in drawn] == [
        "learning-curves.png", "parity-energy.png", "parity-forces.png",
    ]  # fmt: skip
    for path in drawn:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        assert min(pixels.shape[:2]) > 300
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20, "not blank"
    (run / KEPT).unlink()
    assert [path.name for path in write_figures(run)] == ["learning-curves.png"]


def test_figures_that_cannot_be_written_are_a_warning(
    make_run: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run("a")
    (run / "figures").write_text("a file")
    with caplog.at_level(logging.WARNING, logger="mtt"):
        assert write_figures(run) == []
    assert f"no figures: {run / 'figures'} cannot be written" in caplog.text

"""Errors before and after a fine-tuning, and the sentence where nothing became better."""

from __future__ import annotations

import logging

import pytest

from mtt.evaluation.report import Report, Row, Timing
from mtt.workflows.finetune.improvement import report_improvement

BEFORE = {
    "energy": {"rmse": 35.0, "unit": "meV/atom"},
    "forces": {"rmse": 120.0, "unit": "meV/Å"},
}


@pytest.mark.parametrize(
    ("energy", "forces", "level", "words"),
    [
        (2.0, 30.0, "INFO", "energy 35 -> 2 meV/atom; forces 120 -> 30 meV/Å (RMSE on the"),
        (2.0, 130.0, "WARNING", "before -> after): forces became worse; a greater weight"),
        (36.0, 120.0, "WARNING", "the model is not better than its source. Try a third of the"),
    ],
)
def test_a_fine_tuning_says_what_it_improved(
    caplog: pytest.LogCaptureFixture, energy: float, forces: float, level: str, words: str
) -> None:
    rows = (
        Row("energy", energy, 1.0, "meV/atom", 10),
        Row("energy total", 9 * energy, 1.0, "meV", 10),
        Row("forces", forces, 1.0, "meV/Å", 270),
        Row("mtt::new", 1.0, 1.0, "", 10),  # a head that the source does not have
    )
    with caplog.at_level(logging.INFO):
        report_improvement(BEFORE, Report({}, rows, Timing(1.0, 10, 90)))
    (said,) = caplog.records
    assert said.levelname == level
    assert words in said.getMessage()
    assert hasattr(said, "result") == (level == "INFO"), "--quiet shows it"
    assert "total" not in said.getMessage()

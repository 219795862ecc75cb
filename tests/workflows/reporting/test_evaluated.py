"""The page of an evaluation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ase.io
import pytest

from mtt import evaluate
from mtt.errors import ConfigError
from mtt.report.markup import number

ADDRESS = re.compile(r"""(?:src|href)=["\'](?!#)""")
TARGETS = {"energy": {"unit": "eV", "forces": True, "stress": False}}


@pytest.fixture
def options(ethanol: Path, here: Path) -> list[dict[str, Any]]:
    """Two data sets, of which the second one has a wrong force."""
    frames = ase.io.read(ethanol, ":")
    for i, atoms in enumerate(frames):
        atoms.info["temperature"] = 300.0 if i % 2 else 1000.0
    ase.io.write("good.xyz", frames)
    frames[7].calc.results["forces"][0] += 50.0
    ase.io.write("wrong<b>.xyz", frames)
    systems = [{"read_from": name, "length_unit": "angstrom"} for name in
               ("good.xyz", "wrong<b>.xyz")]  # fmt: skip
    return [{"systems": one, "targets": TARGETS} for one in systems]


def test_a_page_shows_all_predictions_errors_groups_and_the_worst_structures(
    trained: Path, options: list[dict[str, Any]]
) -> None:
    sets = evaluate(
        trained / "model.pt", options, batch_size=7, report="page.html", output="out.xyz"
    )
    page = Path("page.html").read_text(encoding="utf-8")
    assert len(page.encode()) < 2_000_000
    assert ADDRESS.search(page) is None
    assert (
        "Predictions for all 20 structures of good.xyz, all 20 structures of wrong&lt;b&gt;.xyz."
        in page
    )
    for one in sets:
        (row,) = (row for row in one.report.rows if row.quantity == "forces")
        assert f"<td>{number(row.rmse)}</td>" in page
    assert "1. wrong&lt;b&gt;.xyz, frame 7" in page
    assert "looks like a wrong label of forces" in page
    for title in ("forces: predicted and reference", "energy: error by temperature"):
        assert f'<span class="title">{title}</span>' in page
    assert "Learning curves" not in page
    assert "out_1.xyz" in page


def test_a_page_without_labels_says_so(trained: Path, options: list[dict[str, Any]]) -> None:
    evaluate(trained / "model.ckpt", {"systems": options[0]["systems"]}, report="page.html")
    page = Path("page.html").read_text(encoding="utf-8")
    assert "The data have no labels of what was predicted" in page
    assert "data-chart=" not in page


def test_a_page_is_an_html_file_that_replaces_nothing_that_is_read(
    trained: Path, options: list[dict[str, Any]]
) -> None:
    model = trained / "model.pt"
    with pytest.raises(ConfigError, match=r"--report good\.xyz: a report is an HTML file"):
        evaluate(model, options, report="good.xyz")
    Path("link.html").symlink_to("good.xyz")
    with pytest.raises(ConfigError, match=r"link.html: the report would replace good.xyz"):
        evaluate(model, options, report="link.html")
    with pytest.raises(ConfigError, match="the folder of the output does not exist"):
        evaluate(model, options, report="nowhere/page.html")

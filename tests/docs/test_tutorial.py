"""The tutorial is run from top to bottom, and what it claims is measured."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

PAGE = "tutorial-architecture"
MOST_LINES = 60


@pytest.fixture(scope="module")
def tutorial(walk, root: Path) -> SimpleNamespace:
    found, done = walk(PAGE)
    text = (root / "docs" / "src" / f"{PAGE}.md").read_text(encoding="utf-8")
    return SimpleNamespace(blocks=found, walk=done, text=text)


def test_the_architecture_has_at_most_sixty_lines(tutorial: SimpleNamespace) -> None:
    files = sorted((tutorial.walk.folder / "moments").glob("*.py"))
    assert [path.name for path in files] == ["__init__.py", "model.py", "trainer.py"]
    assert sum(len(path.read_text().splitlines()) for path in files) <= MOST_LINES


def test_marked_lines_are_those_that_changed(tutorial: SimpleNamespace) -> None:
    before, after = [one.text for one in tutorial.blocks if one.file == "moments/model.py"]
    changed = [
        number
        for number, line in enumerate(after.splitlines(), start=1)
        if line not in before.splitlines()
    ]
    marked = re.search(r"^:emphasize-lines: (.*)$", tutorial.text, re.MULTILINE)
    assert marked is not None
    told: list[int] = []
    for part in marked[1].split(","):
        first, _, last = part.partition("-")
        told += range(int(first), int(last or first) + 1)
    assert changed == told


def test_errors_fall_in_both_trainings(tutorial: SimpleNamespace) -> None:
    runs = sorted((tutorial.walk.folder / "outputs").glob("*/*/train.csv"))
    assert len(runs) == 2
    for path in runs:
        with path.open() as file:
            rows = list(csv.DictReader(file))
        column = next(name for name in rows[0] if name.startswith("validation forces RMSE"))
        errors = [float(row[column]) for row in rows if re.match(r"[\d.]", row[column])]
        assert errors[-1] < 0.6 * errors[0]


def test_the_improvement_is_the_stated_one(tutorial: SimpleNamespace) -> None:
    found = [errors(text) for text in tutorial.walk.said if "errors on the test set" in text]
    table = re.findall(
        r"^\| (?:distances|moments) \| (\S+) \| (\S+) \|$", tutorial.text, re.MULTILINE
    )
    told = [tuple(map(float, row)) for row in table]
    assert len(found) == len(told) == 2
    for measured, claimed in zip(found, told, strict=True):
        assert measured == pytest.approx(claimed, rel=0.1)
    assert found[1][1] < 0.65 * found[0][1]


def errors(text: str) -> tuple[float, float]:
    """RMSE of energy (meV/atom) and forces (meV/Å) on the test set."""
    text = text.rpartition("errors on the test set")[2]
    energy = re.search(r"^ +energy per atom +(\S+)", text, re.MULTILINE)
    forces = re.search(r"^ +forces +(\S+)", text, re.MULTILINE)
    assert energy is not None
    assert forces is not None
    return float(energy[1]), float(forces[1])


def test_the_architecture_passes_all_checks(tutorial: SimpleNamespace) -> None:
    (summary,) = [text for text in tutorial.walk.said if "a rotation turns forces" in text]
    assert re.search(r"\d\d passed", summary)
    assert "failed" not in summary


def test_dynamics_keep_the_energy(tutorial: SimpleNamespace) -> None:
    drift = re.search(r"drift after 100 fs: (\S+) meV/atom", "".join(tutorial.walk.said))
    assert drift is not None
    assert abs(float(drift[1])) < 0.5


def test_the_package_is_found_where_it_is_installed(tutorial: SimpleNamespace) -> None:
    told = tutorial.walk.said[-1]
    assert re.search(r"^moments +external +Moments of the density", told, re.MULTILINE)
    assert str(tutorial.walk.site / "moments") in told
    assert (tutorial.walk.site / "moments" / "default-hypers.yaml").is_file()

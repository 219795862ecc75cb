"""``mtt learning-curve`` on a tiny model: nested, resumed, and written down."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt.errors import ConfigError
from mtt.options import read_yaml
from mtt.workflows.learning import learning_curve

Mtt = Callable[..., Any]
Write = Callable[..., Path]


def frames(n: int, part: str = "training_set") -> list[int]:
    (dataset,) = read_yaml(Path(f"learning-curve/n-{n}/options.yaml"))[part]
    found: list[int] = dataset["indices"]
    return found


def test_sizes_are_nested_trained_once_and_fitted(
    mtt: Mtt, here: Path, write: Write, tiny: dict[str, Any]
) -> None:
    del tiny["seed"]
    tiny["architecture"]["training"]["num_epochs"] = 1
    tiny["report"] = True
    write(tiny)
    words = ("learning-curve", "options.yaml", "--sizes", "4,12,8", "-q")
    done = mtt(*words, "--target", "forces=0.001")
    assert (done.code, done.err) == (0, "")
    assert "RMSE on the test set:" in done.out
    assert "forces 0.001 meV/Å: " in done.out
    assert set(frames(4)) < set(frames(8)) < set(frames(12))
    assert frames(4, "test_set") == frames(12, "test_set")
    assert frames(4, "validation_set") == frames(12, "validation_set")
    assert not set(frames(12)) & {*frames(12, "test_set"), *frames(12, "validation_set")}
    epochs = [
        read_yaml(Path(f"learning-curve/n-{n}/options.yaml"))["architecture"]["training"]
        for n in (4, 8, 12)
    ]
    assert [one["num_epochs"] for one in epochs] == [3, 2, 1], "the same number of steps"

    curve = json.loads(Path("learning-curve/learning-curve.json").read_text())
    assert [one["n"] for one in curve["points"]] == [4, 8, 12]
    assert {"energy", "forces"} == set(curve["laws"])
    with Path("learning-curve/learning-curve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, one in zip(rows, curve["points"], strict=True):
        assert float(row["forces RMSE (meV/Å)"]) == one["errors"]["forces"]["rmse"]
        evaluated = Path("learning-curve", one["run"], "evaluation.json").read_text()
        assert str(one["errors"]["forces"]["count"]) in evaluated

    page = Path("learning-curve/report.html").read_text(encoding="utf-8")
    assert "Forecast for more than the 12 structures of the largest run" in page
    assert all(f"n-{n}" in page for n in (4, 8, 12))
    compared = json.loads(mtt("compare", "learning-curve", "--json").out)
    assert [one["run"] for one in compared["runs"]] == ["n-4", "n-8", "n-12"]
    assert compared["sets"]["test"] == [0, 0, 0]

    before = sorted(Path("learning-curve").rglob("outputs/*/*"))
    assert mtt(*words).code == 0
    assert sorted(Path("learning-curve").rglob("outputs/*/*")) == before, "not trained again"
    tiny["architecture"]["training"]["num_epochs"] = 2
    write(tiny)
    other = mtt(*words)
    assert other.code == 1
    assert "learning-curve/n-4: was trained with other options, data or sizes; name" in other.err


def test_mistakes_are_found_before_anything_is_trained(
    mtt: Mtt, here: Path, write: Write, tiny: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="--sizes: 100 structures are not in the training set of"):
        learning_curve(tiny, [4, 100])
    path = write(tiny)
    for words in (["--sizes", "4,x"], ["--sizes", "0,4"], ["--sizes", ","]):
        assert "numbers of structures are expected" in mtt("learning-curve", path, *words).err
    wrong = mtt("learning-curve", path, "--sizes", "4,8", "--target", "forces")
    assert (wrong.code, "'forces' is not QUANTITY=ERROR" in wrong.err) == (2, True)
    unknown = mtt("learning-curve", path, "--sizes", "4,8", "--target", "force=3")
    assert "the training has no errors of 'force'; did you mean 'forces'?" in unknown.err
    assert not Path("learning-curve").exists()
